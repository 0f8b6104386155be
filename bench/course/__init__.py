"""The stack of the course: FastAPI, SQLAlchemy, psycopg."""
