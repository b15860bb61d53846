"""Reading providers' own lists of models, each shape into one."""
