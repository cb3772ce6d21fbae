"""What any operation takes and gives: its call, its declaration, schemas, values in a query."""
