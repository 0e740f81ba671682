"""The long tests: what ABP Lab survives, as one table of figures beside their goals (``make soak``)."""
