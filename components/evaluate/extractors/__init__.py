"""Networks that describe pictures by numbers; `registry.load_extractor` gives one."""
