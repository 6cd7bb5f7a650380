"""What is kept: tables, the database, all SQL. Nothing outside this room writes a query."""
