#!/bin/sh
# From images to two verdicts: trains on Fashion-MNIST, exports, measures against
# MNIST digits, serves the score that is best on validation images, and uploads a shirt
# and a digit. `make demo` runs it; what it makes is in demo/.
set -eu
cd "$(dirname "$0")/../.."
images=/usr/share/datasets/fashion-mnist
digits=data/mnist/t10k-images-idx3-ubyte
out=demo
rm -rf "$out"
mkdir "$out"

title() { printf '\n== %s\n' "$*"; }
show() {
	printf '$ %s\n' "$*"
	"$@"
}

# The settings were chosen on images 51,000 to 53,000 of the training file and 2,000
# digits of MNIST's training file: the AUROC there was 95.9 to 96.8 over three seeds. At 28x28 pixels, where eight epochs would
# take too long, it was 80 to 96 after three. --alpha-min 150 makes the outliers of the
# last epochs nearly as strong as those of the first ones. The calibration uses the last
# 5,000 training images, and so does the choice of the score, beside 2,000 digits of
# MNIST's training file. The test files are only looked at to measure.
common="--train $images/train-images-idx3-ubyte.gz[:20000] --val $images/train-images-idx3-ubyte.gz[50000:52000]
	--classes scripts/demo/classes.txt --pre-size 16 --image-size 16 --mean .5,.5,.5 --std .5,.5,.5 --augment none
	--arch resnet18_32x32 --width 16 --epochs 8"

title "Train ASCOOD on 20,000 images of clothes"
# shellcheck disable=SC2086 # the list is to be split
show bin/ascood-train $common --alpha-min 150 --output "$out/ascood"
title "Train the plain classifier of the same size"
# shellcheck disable=SC2086
show bin/ascood-train $common --method ce --output "$out/ce"

title "Export, calibrated on 5,000 other images of clothes"
calibrate="$images/train-images-idx3-ubyte.gz[55000:]"
show bin/ascood-export --checkpoint "$out/ascood/best.safetensors" --calibrate "$calibrate" --name clothes --output "$out/model.onnx"
show bin/ascood-export --checkpoint "$out/ce/best.safetensors" --calibrate "$calibrate" --output "$out/plain.onnx"

title "Measure: 10,000 test images of clothes against 10,000 digits"
show bin/ascood-eval --model "$out/model.onnx" --id "$images/t10k-images-idx3-ubyte.gz" --far "mnist=$digits"
show bin/ascood-eval --model "$out/plain.onnx" --id "$images/t10k-images-idx3-ubyte.gz" --far "mnist=$digits"

title "Other scores: which is best on other images, 5,000 of clothes and 2,000 digits?"
show bin/ascood-eval --model "$out/model.onnx" --id "$images/t10k-images-idx3-ubyte.gz" --far "mnist=$digits" \
	--postprocessor iodin,ebo,knn,nnguide,relation,mds --aps=false --id-train "$images/train-images-idx3-ubyte.gz[:20000]" \
	--id-val "$calibrate" --ood-val "data/mnist/train-images-idx3-ubyte[:2000]" --ship "$out/best.onnx" >"$out/methods.txt"
cat "$out/methods.txt"
best=$(sed -n 's/.* decides by \([a-z+_]*\).*/\1/p' "$out/methods.txt")
served=$out/best.onnx
[ "$best" != iodin ] || served=$out/model.onnx # which is calibrated on the same images

title "Serve $served, which decides by $best, and ask about a shirt and a seven"
go build -o bin/ ./scripts/demo/idximage
bin/idximage "$images/t10k-images-idx3-ubyte.gz" 6 "$out/shirt.png"
bin/idximage "$digits" 7 "$out/digit.png"
bin/ascood-serve --model "$served" --addr 127.0.0.1:0 2>"$out/serve.log" &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
address=
for _ in $(seq 100); do
	address=$(sed -n 's/.*msg=listening addr=\([^ ]*\).*/\1/p' "$out/serve.log")
	[ -n "$address" ] && break
	kill -0 $server 2>/dev/null || { cat "$out/serve.log" >&2; exit 1; }
	sleep 0.1
done
for image in shirt digit; do
	show curl --silent --show-error --fail-with-body -F "image=@$out/$image.png" "http://$address/v1/score"
	echo
done
kill $server
wait $server || true
trap - EXIT

title "What to do next"
cat <<END
make serve                                                    serve $out/model.onnx; open http://127.0.0.1:8080/
bin/ascood-serve --model $out/best.onnx                        serve the score that was best
bin/ascood-score --model $out/model.onnx YOUR.png             score files of yours
bin/ascood-train --help                                       train on data of yours
END
