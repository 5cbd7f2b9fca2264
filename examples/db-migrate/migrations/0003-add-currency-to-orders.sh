add_column orders currency '"EUR"'
