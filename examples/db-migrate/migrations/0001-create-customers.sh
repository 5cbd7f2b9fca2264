create_table customers id name country
insert customers 1 'Ada Lovelace' GB
insert customers 2 'Grace Hopper' US
insert customers 3 'Sophie Germain' FR
