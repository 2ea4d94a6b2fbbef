"""The guard needs nothing from outside its process."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, sys
seen = []
def watch(event, arguments):
    if event.startswith("socket.") or event == "subprocess.Popen":
        seen.append(event)
    if event == "open" and arguments[1] and set("wax+") & set(str(arguments[1])):
        seen.append(f"wrote {arguments[0]}")
sys.addaudithook(watch)
sys.dont_write_bytecode = True
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before = resident()
from app.scanners.guard import assess, preload
preload()
after = resident()
asked_for_ipv6 = ("socket.__new__", "socket.bind")  # urllib3, once, when it is imported
loading = [event for event in seen if event not in asked_for_ipv6]
seen.clear()
with open("tests/scanners/guard/texts.jsonl", encoding="utf-8") as lines:
    for line in lines:
        assess(json.loads(line)["text"])
grown = resident()
absent = [name for name in ("spacy", "thinc", "torch", "numpy", "stanza", "transformers") if name in sys.modules]
sizes = {"mb": (after - before) / 1e6, "grown": (grown - after) / 1e6}
print(json.dumps({"loading": loading, "assessing": seen, "absent": absent} | sizes))
"""


def test_no_socket_is_opened_no_file_written_and_no_model_loaded() -> None:
    """Neither loading nor assessing connects, looks up a name, writes a file or imports a model; both fit in 100 MB."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["loading"] == []
    assert result["assessing"] == []
    assert result["absent"] == []
    assert result["mb"] < 100
    assert result["grown"] < 30
