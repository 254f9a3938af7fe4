# Attend on the CPU. Its data are in the volume /data; what is watched is mounted on /work:
#   docker build --tag attend .
#   docker run --rm -it -v attend:/data -v "$PWD:/work:ro" attend chat clip.mp4
#   docker run --rm -v attend:/data -v "$PWD:/work:ro" -p 127.0.0.1:8765:8765 attend serve clip.mp4 --host 0.0.0.0
# --build-arg EXTRAS="literature narrative" adds extras. On x86-64, pip's torch brings CUDA; where
# --build-arg PIP_EXTRA_INDEX_URL=... names PyTorch's index of CPU wheels, the image is some gigabytes smaller.
FROM python:3.11-slim

# The Makefile's RUN_APT.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libgl1 libglib2.0-0 libx11-6 libxcb1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY agent agent
COPY tools tools
COPY memory memory
COPY evals evals

# The Makefile's target `setup`, for a copy that is not edited.
ARG PIP_EXTRA_INDEX_URL
ARG EXTRAS=""
RUN python -m pip install --no-compile --no-cache-dir -qq . \
    && PIP_NO_CACHE_DIR=1 attend setup $EXTRAS

RUN useradd --create-home attend && install -d -o attend -g attend /data /work
USER attend
WORKDIR /work
ENV ATTEND_FOLDER=/data OMP_WAIT_POLICY=PASSIVE
VOLUME /data
ENTRYPOINT ["attend"]
CMD ["--help"]
