"""Creates the tables: python -m course.tables"""

from . import models
from .database import engine

models.Base.metadata.create_all(engine)
