"""What each process of the Connector does, and who watches over them."""
