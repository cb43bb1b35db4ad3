package presets

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/preprocess"
)

// published is testdata/published.json.
type published struct {
	Common  map[string]any            `json:"common_training"`
	Images  map[string]any            `json:"images"` // how all are read
	Presets map[string]map[string]any `json:"presets"`
	Lists   map[string]map[string]any `json:"lists"`
}

func readPublished(t *testing.T) (p published) {
	t.Helper()
	content, err := os.ReadFile("testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func load(t *testing.T, name string) *Preset {
	t.Helper()
	p, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPublished compares network, preprocessing and hyperparameters with the
// published configurations.
func TestPublished(t *testing.T) {
	all := readPublished(t)
	if got, want := Names(), slices.Sorted(maps.Keys(all.Presets)); !slices.Equal(got, want) {
		t.Fatalf("presets %v, want %v", got, want)
	}
	for name, want := range all.Presets {
		t.Run(name, func(t *testing.T) {
			p := load(t, name)
			got := map[string]any{}
			if _, err := p.Configure(&got, Choice{}); err != nil {
				t.Fatal(err)
			}
			same := func(key string, want any) {
				t.Helper()
				if !reflect.DeepEqual(got[key], want) {
					t.Errorf("%s is %v, want %v", key, got[key], want)
				}
			}
			same("class_count", want["classes"])
			same("arch", want["network"])
			if batch, ok := want["batch"]; ok {
				same("batch_size", batch)
			}
			pre := got["preprocess"].(map[string]any)
			if pre["pre_size"] != want["pre_size"] || pre["image_size"] != want["image_size"] {
				t.Errorf("preprocessing %v, want %v of %v", pre, want["image_size"], want["pre_size"])
			}
			if pre["truncated"] != all.Images["truncated"] {
				t.Errorf("truncated images %v, want %v", pre["truncated"], all.Images["truncated"])
			}
			if weights, _ := want["pretrained"].(string); !strings.HasPrefix(p.Pretrained, weights) || weights == "" && p.Pretrained != "" {
				t.Errorf("pretrained weights %q, want %q", p.Pretrained, weights)
			}
			if method, _ := want["postprocessor"].(string); p.Postprocessor != method {
				t.Errorf("postprocessor %q, want %q", p.Postprocessor, method)
			}
			if by, _ := want["by_method"].(map[string]any); !sameByMethod(t, p, by) {
				t.Errorf("settings of methods %v, want %v", p.ByMethod, by)
			}
			hyper := all.hyperparameters(name)
			for key, value := range hyper {
				same(key, value)
			}
			if len(hyper) == 0 && (len(p.Training) > 0 || len(p.Outliers) > 0) {
				t.Error("it has hyperparameters, but none are published")
			}
		})
	}
}

// sameByMethod compares what a preset changes for single methods with what is published.
func sameByMethod(t *testing.T, p *Preset, want map[string]any) bool {
	t.Helper()
	content, err := json.Marshal(p.ByMethod)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	return len(got) == 0 && len(want) == 0 || reflect.DeepEqual(got, want)
}

// hyperparameters are the common ones with what the experiment changes.
func (p published) hyperparameters(name string) map[string]any {
	switch name {
	case "imagenet100", "imagenet": // none
		return nil
	case "imagenet200": // said in words
		return map[string]any{"method": "ce", "lr": 0.1, "epochs": 90.0, "momentum": 0.9, "weight_decay": 5e-4}
	}
	hyper := maps.Clone(p.Common)
	own, _ := p.Presets[name]["train"].(map[string]any)
	maps.Copy(hyper, own)
	for _, key := range []string{"optimizer", "nesterov", "seeds", "note", "alternative"} {
		delete(hyper, key)
	}
	hyper["method"] = "ascood"
	return hyper
}

// TestVariants: other methods and types of outliers.
func TestVariants(t *testing.T) {
	for _, test := range []struct {
		preset string
		choice Choice
		want   map[string]any
		absent []string
	}{
		{"cifar10", Choice{Method: "ce"}, map[string]any{"method": "ce", "epochs": 100.0, "lr": 0.1}, []string{"w", "ood_type", "sigma"}},
		{"cifar10", Choice{}, map[string]any{"pixels": "salient", "p_inv": 0.15}, nil},
		{"cifar10", Choice{Pixels: "random"}, map[string]any{"ood_type": "shuffle", "pixels": "random", "p_inv": 0.2, "alpha_max": 1.0}, nil},
		{"cifar100", Choice{Pixels: "random"}, map[string]any{"w": 5.0}, []string{"pixels", "p_inv"}},
		{"celeba", Choice{OODType: "gradient"}, map[string]any{"p_inv": 0.05, "alpha_min": 30.0, "alpha_max": 50.0}, nil},
		{"celeba", Choice{OODType: "shuffle"}, map[string]any{"w": 1.0}, []string{"ood_type", "p_inv", "alpha_min", "alpha_max"}},
		{"imagenet100", Choice{}, map[string]any{"method": "ascood", "arch": "resnet50"}, []string{"lr", "epochs", "batch_size", "train"}},
		{"waterbirds", Choice{Root: "data"}, map[string]any{
			"train": "data/benchmark_imglist/waterbirds/waterbirds_train.txt", "val": "data/benchmark_imglist/waterbirds/waterbirds_val.txt",
			"data_dir": "data/images_largescale/waterbirds",
		}, nil},
		{"waterbirds", Choice{}, nil, []string{"train", "val", "data_dir"}},
		{"cifar10", Choice{Method: "oe", Root: "data"}, map[string]any{
			"outliers": "data/benchmark_imglist/cifar10/train_tin597.txt", "outlier_dir": "data/images_classic", "outlier_batch_size": 256.0, "lr": 0.1, "epochs": 100.0,
		}, []string{"w"}},
		{"cifar100", Choice{Method: "mixoe"}, map[string]any{"lr": 0.001, "epochs": 10.0, "outlier_batch_size": 128.0, "batch_size": 128.0}, []string{"outliers"}},
		{"cifar10", Choice{Method: "logitnorm", Root: "data"}, map[string]any{"lr": 0.1, "epochs": 100.0}, []string{"outliers", "outlier_dir", "outlier_batch_size"}},
		{"waterbirds", Choice{Method: "oe"}, map[string]any{"augment": "classic"}, nil},
		{"imagenet", Choice{Method: "rotpred"}, map[string]any{"batch_size": 64.0, "epochs": 30.0}, nil},
	} {
		got := map[string]any{}
		names, err := load(t, test.preset).Configure(&got, test.choice)
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.Equal(names, slices.Sorted(maps.Keys(got))) {
			t.Errorf("%s, %+v: names %v of %v", test.preset, test.choice, names, got)
		}
		for key, value := range test.want {
			if got[key] != value {
				t.Errorf("%s, %+v: %s is %v, want %v", test.preset, test.choice, key, got[key], value)
			}
		}
		for _, key := range test.absent {
			if value, ok := got[key]; ok {
				t.Errorf("%s, %+v: %s is %v, want nothing", test.preset, test.choice, key, value)
			}
		}
	}
	if got := load(t, "cifar10").OODType() + load(t, "celeba").OODType() + load(t, "imagenet").OODType(); got != "shufflegaussian" {
		t.Errorf("types of outliers %s", got)
	}
}

// TestConfigureUnknownField: a struct without a setting's field is an error, not
// a setting that is lost.
func TestConfigureUnknownField(t *testing.T) {
	_, err := load(t, "cifar10").Configure(&struct{ LR float64 }{}, Choice{})
	if err == nil || !strings.Contains(err.Error(), "preset cifar10") || !strings.Contains(err.Error(), "unknown field") {
		t.Errorf("error %v, want one about an unknown field", err)
	}
}

// TestNamesResolve: what the presets name exists.
func TestNamesResolve(t *testing.T) {
	for _, name := range Names() {
		p := load(t, name)
		pre, err := preprocess.Preset(p.Preprocess)
		if err != nil {
			t.Error(err)
		}
		if _, err := pre.Augmentation(p.Augment); err != nil {
			t.Error(err)
		}
		if _, err := models.New(models.Spec{Arch: p.Arch, Classes: p.Classes, Head: models.HeadASCOOD}, 0); err != nil {
			t.Error(err)
		}
		if want := map[int]string{32: "classic"}[pre.ImageSize]; want != "" && p.Augment != want || want == "" && p.Augment != "largescale" {
			t.Errorf("%s: augmentation %s of %d pixels", name, p.Augment, pre.ImageSize)
		}
		if p.Title == "" || len(p.Methods) == 0 {
			t.Errorf("%s has no title or no method", name)
		}
	}
}

func TestLoadUnknown(t *testing.T) {
	_, err := Load("mnist")
	if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), `"mnist"; known are aircraft, cars, celeba, cifar10, cifar100, imagenet, imagenet100, imagenet200, waterbirds`) {
		t.Errorf("error %v, want one that lists the presets", err)
	}
}

// TestSets compares the image lists with the published ones.
func TestSets(t *testing.T) {
	all := readPublished(t)
	for _, name := range Names() {
		want, count := all.sets(name)
		p := load(t, name)
		if len(p.Sets) != count {
			t.Errorf("%s: %d sets, want %d", name, len(p.Sets), count)
		}
		for _, s := range p.Sets {
			if !want[s] {
				t.Errorf("%s: %+v is not published; want one of %v", name, s, slices.Collect(maps.Keys(want)))
			}
			delete(want, s)
		}
	}
}

// sets are the published lists of a preset with their folders.
func (p published) sets(name string) (sets map[Set]bool, count int) {
	lists := maps.Clone(p.Lists[name])
	if lists["far"] == "common_far" {
		far := maps.Clone(p.Lists["common_far"])
		lists["ood_val"] = far["ood_val"]
		delete(far, "ood_val")
		lists["far"] = far
	}
	folder, _ := lists["dir"].(string)
	if folder == "" {
		folder = "images_classic" // of the sets of small images
	}
	sets = map[Set]bool{}
	add := func(role Role, name string, entry any) {
		set := Set{Role: role, Name: name, Images: folder}
		switch entry := entry.(type) {
		case string:
			set.List = entry
		case []any: // folder, list, and how the images are taken where that is special
			set.Images, set.List = entry[0].(string), entry[1].(string)
			if len(entry) > 2 {
				set.Preprocess = entry[2].(string)
			}
		}
		sets[set] = true
	}
	for _, role := range []Role{Train, Val, Test, OODVal, Near, Far, CSID, Outliers} {
		switch entry := lists[string(role)].(type) {
		case nil:
		case map[string]any:
			for name, entry := range entry {
				add(role, name, entry)
			}
		default:
			add(role, "", entry)
		}
	}
	if extra, ok := lists["far_extra"].(map[string]any); ok {
		add(FarExtra, "iSUN", []any{extra["iSUN_dir"], extra["iSUN"]})
	}
	return sets, len(sets)
}
