// The shipped board as Grafana itself types it. The test puts the board in the place of BOARD: a literal, in which
// TypeScript refuses names that Grafana doesn't know.
import type { Dashboard, DataQuery, Panel } from "@grafana/schema";

// What Grafana leaves to its plugins: a query of Prometheus.
type Target = DataQuery & { expr: string; legendFormat: string };
type Panels = (Omit<Panel, "targets"> & Required<Pick<Panel, "id" | "title" | "gridPos">> & { targets: Target[] })[];

export const board: Omit<Dashboard, "panels"> & { panels: Panels } = BOARD;
