create_table orders id customer amount
insert orders 1 1 120
insert orders 2 3 75
insert orders 3 1 30
