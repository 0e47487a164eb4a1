"""What numbers mean: attributes and enumerated values, one TOML file per document or vendor. `wire.radius.dictionary` reads them."""
