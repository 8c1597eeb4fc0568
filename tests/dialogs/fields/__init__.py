"""The four fields: what people type, and what becomes of it (`cases/*.toml`)."""
