"""Train the adapter of the embedded model.

    python -m agent.models.embedded.train --pictures DIR --wordnet /usr/share/wordnet --minutes 30 --out FILE

DIR holds a picture a class, named `nXXXXXXXX_name.jpg` by ImageNet id. Classes 7, 27, 47, ... are for validation and
17, 37, 57, ... for the final number: none of them is ever trained on. The adapter that names most of the validation
classes is kept. It runs on a processor or a GPU.

The adapter in this package did not come out of this program. It is the weighted mean of two checkpoints (weight 0.7) of
an earlier form of the same procedure: visual tokens of 900 pictures, one of each ImageNet class whose index does not
end in 7, and no pseudo-frames; nothing was trained since. The vision network itself was trained on all 1,000 classes.
Most answers rest on its class probabilities, on words read and on measures; the adapter serves questions on drawn
shapes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from agent.models.embedded.networks.language import ADAPTER_FILE
from agent.models.embedded.train.train import Settings, train


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m agent.models.embedded.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate of the low-rank adapter")
    parser.add_argument("--start", type=Path, default=ADAPTER_FILE, help="the adapter to begin with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(json.dumps(train(Settings(**vars(args))), indent=1))


if __name__ == "__main__":
    main()
