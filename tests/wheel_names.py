"""Run by `make wheel` where only the wheel is installed: exactly the four import packages are there, and whole."""

import importlib.metadata

files = importlib.metadata.files("attend-agent") or []
names = {file.parts[0] for file in files if not file.parts[0].endswith((".dist-info", "..")) and len(file.parts) > 1}
assert names == {"agent", "tools", "memory", "evals"}, f"the wheel installs {sorted(names)}"
for needed in (
    "agent/prompts/system.md",
    "agent/mllm/embedded/adapter.safetensors",
    "tools/gui/grounding/data/lexicon.txt",
    "memory/stream/data/hints.txt",
):
    assert any(str(file) == needed for file in files), f"the wheel lacks {needed}"
print(f"the wheel installs {sorted(names)}, {len(files)} files")
