# Hands the API key to SGLang in a file: it takes no variable, and an argument would show in every `ps`.
import json
import os
import sys

if __name__ == "__main__":
    mine_alone = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(mine_alone, "w") as file:
        json.dump({"api-key": os.environ.pop("LLMDEPLOY_API_KEY")}, file)  # JSON is YAML
    os.execvp(sys.argv[2], sys.argv[2:])
