"""Neural networks and everything that needs torch; knows no database, no broker and no HTTP."""
