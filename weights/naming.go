package weights

import (
	"cmp"
	"strings"
)

// A network's modules have other names in other programs. The names of package models
// are torchvision's; the tables say what stands in the place of those of ResNets
// elsewhere. A program is a row of each: of the trunk, and of what is within its blocks.

// trunk names what comes before the blocks, and the stages that these are in.
type trunk struct {
	of         string // whose names they are
	stem, norm string
	stages     [4]string
}

var trunks = []trunk{
	{"", "conv1", "bn1", [4]string{"layer1", "layer2", "layer3", "layer4"}},
	{"stems that are an nn.Sequential", "conv1.0", "conv1.1", [4]string{"layer1", "layer2", "layer3", "layer4"}},
	{"weiaicunzai's pytorch-cifar100", "conv1.0", "conv1.1", [4]string{"conv2_x", "conv3_x", "conv4_x", "conv5_x"}},
	{"Hugging Face", "embedder.embedder.convolution", "embedder.embedder.normalization",
		[4]string{"encoder.stages.0.layers", "encoder.stages.1.layers", "encoder.stages.2.layers", "encoder.stages.3.layers"}},
	{"nn.Sequential(*children)", "0", "1", [4]string{"4", "5", "6", "7"}}, // after ReLU and max-pool
	{"nn.Sequential(*children)", "0", "1", [4]string{"3", "4", "5", "6"}}, // after ReLU
	{"nn.Sequential(*children)", "0", "1", [4]string{"2", "3", "4", "5"}},
}

// block names the layers of a residual block: its convolutions and normalisations in
// order, and the two of the projection.
type block struct {
	of         string
	conv, norm [3]string
	projection [2]string
}

var blocks = []block{
	{"", [3]string{"conv1", "conv2", "conv3"}, [3]string{"bn1", "bn2", "bn3"}, [2]string{"downsample.0", "downsample.1"}},
	{"kuangliu's pytorch-cifar", [3]string{"conv1", "conv2", "conv3"}, [3]string{"bn1", "bn2", "bn3"}, [2]string{"shortcut.0", "shortcut.1"}},
	{"", [3]string{"residual_function.0", "residual_function.3", "residual_function.6"},
		[3]string{"residual_function.1", "residual_function.4", "residual_function.7"}, [2]string{"shortcut.0", "shortcut.1"}},
	{"", [3]string{"left.0", "left.3", "left.6"}, [3]string{"left.1", "left.4", "left.7"}, [2]string{"shortcut.0", "shortcut.1"}},
	{"", [3]string{"layer.0.convolution", "layer.1.convolution", "layer.2.convolution"},
		[3]string{"layer.0.normalization", "layer.1.normalization", "layer.2.normalization"},
		[2]string{"shortcut.convolution", "shortcut.normalization"}},
}

// naming is a program's names.
type naming struct {
	of     string                   // whose names they are, "" for those of package models or like them
	rename func(name string) string // of a parameter of package models
}

// namings are all that are tried of an architecture that begins with the weights stem,
// the common ones first.
func namings(stem string) []naming {
	if stem != "conv1.weight" {
		return []naming{{"", func(name string) string { return name }}, {"torchvision's first files", firstFiles.Replace}}
	}
	var all []naming
	for _, t := range trunks {
		for _, b := range blocks {
			all = append(all, naming{cmp.Or(t.of, b.of), resNet{t, b}.rename})
		}
	}
	return all
}

// firstFiles are the names of the DenseNets and vision transformers that torchvision
// distributes, which it changed later.
var firstFiles = strings.NewReplacer(
	".norm1.", ".norm.1.", ".norm2.", ".norm.2.", ".conv1.", ".conv.1.", ".conv2.", ".conv.2.",
	".mlp.0.", ".mlp.linear_1.", ".mlp.3.", ".mlp.linear_2.",
)

// resNet is how a program names the parts of ResNets.
type resNet struct {
	trunk trunk
	block block
}

func (n resNet) rename(name string) string {
	module, param := cutLast(name)
	switch module {
	case "conv1":
		return n.trunk.stem + "." + param
	case "bn1":
		return n.trunk.norm + "." + param
	}
	parts := strings.SplitN(module, ".", 3) // layer1, 0, conv1
	if len(parts) < 3 {
		return name
	}
	for i, stage := range trunks[0].stages {
		if parts[0] == stage {
			return strings.Join([]string{n.trunk.stages[i], parts[1], n.block.rename(parts[2]), param}, ".")
		}
	}
	return name
}

// rename returns the name of a layer within the block. The projection has two names
// in package models.
func (b block) rename(layer string) string {
	for i := range b.conv {
		switch layer {
		case blocks[0].conv[i]:
			return b.conv[i]
		case blocks[0].norm[i]:
			return b.norm[i]
		}
	}
	for i := range b.projection {
		if layer == blocks[0].projection[i] || layer == blocks[1].projection[i] {
			return b.projection[i]
		}
	}
	return layer
}

// cutLast separates a parameter's name from the path of its module.
func cutLast(name string) (module, param string) {
	i := strings.LastIndexByte(name, '.')
	return name[:max(i, 0)], name[i+1:]
}
