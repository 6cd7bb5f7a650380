"""How risky it is to call a number: three classes, and the numbers that are shipped as not low.

Sources: ITU-T E.164, list of assigned codes (satellite and international networks); national numbering plans
(premium and shared-cost numbers); for toll fraud the destinations that reports of international revenue share
fraud name again and again. No such list is ever complete: operators add their own.
"""

from enum import StrEnum


class NumberClass(StrEnum):
    """From the class of ordinary numbers upwards."""

    LOW = "low"
    PREMIUM = "premium"
    """Whoever calls pays more than for a call, and the callee gets a share."""
    TOLL_FRAUD = "toll_fraud"
    """Where stolen credentials are turned into money."""


PREMIUM = [
    "+1900NXXXXXX",  # North America
    "+2786.",  # South Africa
    "+3190[069].",  # Netherlands
    "+3290.",  # Belgium
    "+338[129].",  # France
    "+3480[3-7].",  # Spain
    "+34905.",
    "+35176[01].",  # Portugal
    "+35315.",  # Ireland
    "+358[67]00.",  # Finland
    "+3989.",  # Italy
    "+4190[016].",  # Switzerland
    "+42090[069].",  # Czechia
    "+4390[01].",  # Austria
    "+4393[019].",
    "+4470.",  # United Kingdom: personal numbers, shared cost and premium
    "+4487.",
    "+449.",
    "+4590.",  # Denmark
    "+46900.",  # Sweden
    "+469[34]9.",
    "+46944.",
    "+4782.",  # Norway
    "+4870.",  # Poland
    "+49180.",  # Germany
    "+49[19]00.",
    "+55900.",  # Brazil
    "+6119.",  # Australia
    "+64900.",  # New Zealand
    "+651900.",  # Singapore
    "+780[39].",  # Russia
    "+81990.",  # Japan
    "+8260.",  # Korea
    "+8616[08]XXXXX",  # China: information services
    "+852900XXXXXXXX",  # Hong Kong
    "+90900.",  # Turkey
    "+979.",  # international premium rate
]
TOLL_FRAUD = [
    "+870.",  # Inmarsat
    "+878.",  # universal personal numbers
    "+88[1-3].",  # satellite and international networks
    "+220.",  # Gambia
    "+222.",  # Mauritania
    "+224.",  # Guinea
    "+22[78].",  # Niger, Togo
    "+23[125].",  # Liberia, Sierra Leone, Chad
    "+236.",  # Central African Republic
    "+239.",  # Sao Tome
    "+24[2357].",  # both Congos, Guinea-Bissau, Ascension
    "+246.",  # Diego Garcia
    "+25[237].",  # Somalia, Djibouti, Burundi
    "+26[19].",  # Madagascar, Comoros
    "+29[01].",  # Saint Helena, Eritrea
    "+500.",  # Falklands
    "+53.",  # Cuba
    "+67[024-8].",  # Timor, Norfolk and Antarctica, Nauru, Papua, Tonga, Solomons, Vanuatu
    "+68[0-35-9].",  # Palau, Wallis, Cook, Niue, Samoa, Kiribati, New Caledonia, Tuvalu, Polynesia
    "+69[0-2].",  # Tokelau, Micronesia, Marshall Islands
    "+850.",  # North Korea
    "+960.",  # Maldives
    "+1242NXXXXXX",  # Caribbean numbers that look like any of North America
    "+1246NXXXXXX",
    "+126[48]NXXXXXX",
    "+1284NXXXXXX",
    "+1345NXXXXXX",
    "+1441NXXXXXX",
    "+1473NXXXXXX",
    "+1649NXXXXXX",
    "+1658NXXXXXX",
    "+1664NXXXXXX",
    "+1721NXXXXXX",
    "+1758NXXXXXX",
    "+1767NXXXXXX",
    "+1784NXXXXXX",
    "+18[024]9NXXXXXX",
    "+186[89]NXXXXXX",
    "+1876NXXXXXX",
]
