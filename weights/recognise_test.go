package weights

import "testing"

// TestRecognise: names of each network, as its program has them.
func TestRecognise(t *testing.T) {
	for name, want := range map[string]string{
		"features.denseblock1.denselayer1.conv1.weight": "a DenseNet",
		"class_token":              "a vision transformer",
		"vit.embeddings.cls_token": "a vision transformer",
		"features.1.0.attn.relative_position_bias_table":                    "a Swin transformer",
		"features.1.0.attn.cpb_mlp.0.weight":                                "a Swin transformer",
		"blocks.0.layers.0.layers.window_attention.attn_layer.1.merge.bias": "a MaxViT",
		"features.1.0.block.0.0.weight":                                     "an EfficientNet or MobileNet",
		"_blocks.0._depthwise_conv.weight":                                  "an EfficientNet",
		"blocks.0.0.conv_dw.weight":                                         "an EfficientNet or MobileNet",
		"features.1.conv.0.0.weight":                                        "a MobileNet",
		"features.1.0.layer_scale":                                          "a ConvNeXt",
		"stages.0.blocks.0.conv_dw.weight":                                  "a ConvNeXt",
		"Mixed_5b.branch1x1.conv.weight":                                    "an Inception-v3",
		"inception3a.branch1.conv.weight":                                   "a GoogLeNet",
		"trunk_output.block1.block1-0.proj.0.weight":                        "a RegNet",
		"features.3.squeeze.weight":                                         "a SqueezeNet",
		"stage2.0.branch1.0.weight":                                         "a ShuffleNet",
		"layers.8.0.layers.0.weight":                                        "an MNASNet",
		"block1.layer.0.conv1.weight":                                       "a WideResNet for small images",
		"classifier.6.weight":                                               "a VGG or AlexNet",
		"text_projection":                                                   "CLIP",
		"unknown.weight":                                                    "",
	} {
		if got := recognise(map[string][]int{name: {1}}); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestRecogniseResNet: by the blocks of each stage, and by the shapes in the first.
func TestRecogniseResNet(t *testing.T) {
	type shapes = map[string][]int
	stages := func(blocks []int, convs int, second, third []int) shapes {
		all := shapes{"bn1.running_mean": {64}}
		for stage, n := range blocks {
			for block := range n {
				prefix := "module.layer" + string(rune('1'+stage)) + "." + string(rune('0'+block)) + ".conv"
				all[prefix+"2.weight"] = second
				if convs == 3 {
					all[prefix+"3.weight"] = third
				}
			}
		}
		return all
	}
	small := []int{64, 64, 3, 3}
	for want, given := range map[string]shapes{
		"a ResNet-34 (3 4 6 3 blocks)":                stages([]int{3, 4, 6, 3}, 2, small, nil),
		"a ResNet-50 (3 4 6 3 blocks)":                stages([]int{3, 4, 6, 3}, 3, small, []int{256, 64, 1, 1}),
		"a wide ResNet-50 (3 4 6 3 blocks)":           stages([]int{3, 4, 6, 3}, 3, []int{128, 128, 3, 3}, []int{256, 128, 1, 1}),
		"a ResNeXt-50 (3 4 6 3 blocks)":               stages([]int{3, 4, 6, 3}, 3, []int{128, 4, 3, 3}, []int{256, 128, 1, 1}),
		"a ResNet-20 for small images (3 3 3 blocks)": stages([]int{3, 3, 3}, 2, small, nil),
		"": stages([]int{1, 1, 1, 1}, 2, small, nil),
	} {
		if got := recognise(given); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
