package weights

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kinds are what weights may be of, by a part of a name that each has and that those
// before it lack.
var kinds = []struct{ mark, kind string }{
	{".weight_mask", "a pruned network, which torch.nn.utils.prune.remove makes an ordinary one"},
	{".weight_g", "a network with weight normalisation, which torch.nn.utils.remove_weight_norm takes off"},
	{".parametrizations.", "a network with parametrisations, which torch.nn.utils.parametrize.remove_parametrizations takes off"},
	{"_packed_params", "a quantised network; want it as it was before"},
	{"lora_A", "a network with LoRA adapters, which are to be merged into it first"},
	{"window_attention", "a MaxViT"},
	{"relative_position_bias_table", "a Swin transformer"},
	{"cpb_mlp", "a Swin transformer"},
	{"text_projection", "CLIP"},
	{"cls_token", "a vision transformer"},
	{"class_token", "a vision transformer"},
	{"patch_embed", "a vision transformer"},
	{"denseblock1", "a DenseNet"},
	{"dense1.0.", "a DenseNet"},
	{"layer_scale", "a ConvNeXt"},
	{"stages.0.blocks.0.conv_dw", "a ConvNeXt"},
	{"Mixed_5b", "an Inception-v3"},
	{"inception3a", "a GoogLeNet"},
	{"trunk_output", "a RegNet"},
	{".squeeze.weight", "a SqueezeNet"},
	{"stage2.0.branch", "a ShuffleNet"},
	{"layers.8.0.layers.0", "an MNASNet"},
	{"block1.layer.0", "a WideResNet for small images"},
	{"_depthwise_conv", "an EfficientNet"},
	{"blocks.0.0.conv_dw", "an EfficientNet or MobileNet"},
	{"features.1.0.block.0", "an EfficientNet or MobileNet"},
	{"features.1.conv.0", "a MobileNet"},
	{"features.0.0.weight", "a MobileNet"},
	{"rpn.head", "a detector"},
	{"fpn.", "a detector"},
	{"classifier.6.weight", "a VGG or AlexNet"},
	{"features.0.weight", "a VGG"},
}

// recognise says what kind of network has tensors of such names and shapes, "" if it
// does not know.
func recognise(shapes map[string][]int) string {
	names := slices.Sorted(maps.Keys(shapes))
	for _, s := range kinds {
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, s.mark) }) {
			return s.kind
		}
	}
	return resNetKind(shapes)
}

// depths are the ResNets by the convolutions in a block and the blocks in each stage.
var depths = map[string]string{
	"2 [2 2 2 2]":  "ResNet-18",
	"2 [3 4 6 3]":  "ResNet-34",
	"3 [3 4 6 3]":  "ResNet-50",
	"3 [3 4 23 3]": "ResNet-101",
	"3 [3 8 36 3]": "ResNet-152",
}

// recognised is what the architectures of package models are recognised as.
var recognised = map[string]string{
	"resnet18_32x32":   "a ResNet-18 (2 2 2 2 blocks)",
	"resnet18_224x224": "a ResNet-18 (2 2 2 2 blocks)",
	"resnet34":         "a ResNet-34 (3 4 6 3 blocks)",
	"resnet50":         "a ResNet-50 (3 4 6 3 blocks)",
	"resnet101":        "a ResNet-101 (3 4 23 3 blocks)",
	"resnet152":        "a ResNet-152 (3 8 36 3 blocks)",
	"wide_resnet50_2":  "a wide ResNet-50 (3 4 6 3 blocks)",
	"resnext50_32x4d":  "a ResNeXt-50 (3 4 6 3 blocks)",
	"mobilenet_v2":     "a MobileNet",
	"efficientnet_b0":  "an EfficientNet or MobileNet",
	"densenet121":      "a DenseNet",
	"vit_b_16":         "a vision transformer",
	"swin_t":           "a Swin transformer",
}

var blockWeight = regexp.MustCompile(`(?:^|\.)layer([1-4])\.(\d+)\.conv([1-3])\.weight$`)

// resNetKind names a ResNet by its blocks.
func resNetKind(shapes map[string][]int) string {
	blocks, convs := []int{}, 0
	wide, grouped, batchNorm := false, false, false
	for name, shape := range shapes {
		batchNorm = batchNorm || strings.HasSuffix(name, ".running_mean")
		match := blockWeight.FindStringSubmatch(name)
		if match == nil || len(shape) != 4 {
			continue
		}
		stage, _ := strconv.Atoi(match[1])
		at, _ := strconv.Atoi(match[2])
		conv, _ := strconv.Atoi(match[3])
		for len(blocks) < stage {
			blocks = append(blocks, 0)
		}
		blocks[stage-1], convs = max(blocks[stage-1], at+1), max(convs, conv)
		if match[1] == "1" && match[2] == "0" && conv == 2 {
			grouped = shape[1] < shape[0]
		}
		if match[1] == "1" && match[2] == "0" && conv == 3 {
			wide = shape[0] < 4*shape[1]
		}
	}
	kind, ok := depths[fmt.Sprintf("%d %v", convs, blocks)]
	switch {
	case len(blocks) == 3 && convs == 2 && blocks[0] == blocks[1] && blocks[1] == blocks[2] && blocks[0] > 2:
		kind = fmt.Sprintf("ResNet-%d for small images", 2+2*(blocks[0]+blocks[1]+blocks[2]))
	case !ok:
		return ""
	case grouped:
		kind = strings.Replace(kind, "ResNet", "ResNeXt", 1)
	case wide && convs == 3:
		kind = "wide " + kind
	}
	if !batchNorm {
		kind += " without the statistics of BatchNorm"
	}
	return fmt.Sprintf("a %s (%s blocks)", kind, strings.Trim(fmt.Sprint(blocks), "[]"))
}
