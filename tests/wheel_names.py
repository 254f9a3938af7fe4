"""Run by `make wheel` where only the wheel is installed: exactly the four import packages are there, and whole."""

import importlib.metadata

files = [str(file) for file in importlib.metadata.files("attend-agent") or []]
names = {file.split("/")[0] for file in files if "/" in file and not file.split("/")[0].endswith((".dist-info", ".."))}
assert names == {"agent", "tools", "memory", "evals"}, f"the wheel installs {sorted(names)}"
for needed in (
    "agent/prompts/system.md",
    "agent/models/embedded/networks/adapter.safetensors",
    "evals/suites/attend_core/vision_set/cat.jpg",
    "tools/gui/grounding/data/lexicon.txt",
    "tools/perception/weights/movenet-lightning.onnx",
    "memory/stream/data/hints.txt",
    *(f"{name}/py.typed" for name in names),
):
    assert needed in files, f"the wheel lacks {needed}"
assert not [file for file in files if file.startswith("evals/bench/")], "the wheel installs benches"
print(f"the wheel installs {sorted(names)}, {len(files)} files")
