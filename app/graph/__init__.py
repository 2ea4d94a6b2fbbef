"""The graph of assets, scans and findings: one gateway to the driver, constant queries, projections."""
