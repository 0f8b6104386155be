"""What the course builds: FastAPI, SQLAlchemy, psycopg."""
