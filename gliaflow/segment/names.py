"""Names of files in the folder of a session's members; light enough to ask before any job starts."""

MODEL_FACTS = "model.json"
FAILED = "failed.txt"
