"""Settings of what the operator sees from outside."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import Field

from controller.settings.section import Section


class MetricSettings(Section):
    """Metrics for Prometheus at /metrics."""

    enabled: bool = Field(True, description="Whether metrics are counted and can be scraped.")
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        [IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")],
        description="Networks that may scrape; for all others there is no /metrics.",
    )


class TraceSettings(Section):
    """Traces for OpenTelemetry: one for each call, from the request to the last push."""

    endpoint: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="Address of a collector that takes OTLP over HTTP, such as "
        "http://127.0.0.1:4318/v1/traces; empty: no traces. Needs the extra `traces`.",
    )
    sample: float = Field(1.0, ge=0, le=1, description="Share of the calls that are traced.")
