#!/bin/sh
g++ -O2 -std=c++17 -shared -fPIC -I/usr/include/torch/csrc/api/include -o "$1" "$(dirname "$0")/gotorch.cc" -ltorch -ltorch_cpu -lc10
