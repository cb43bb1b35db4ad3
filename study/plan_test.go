package study

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/presets"
	"github.com/ascood/ascood/train"
)

func TestWrongPlans(t *testing.T) {
	for _, test := range []struct {
		name     string
		old, new string
		want     string
	}{
		{"key", `"title"`, `"titel"`, `unknown key "titel" (title?); known are data, evaluation, methods,`},
		{"key inside", `"ood_val"`, `"oodval"`, `data[0]: unknown key "oodval" (ood_val?)`},
		{"key of a search", `"search": {`, `"search": {"by": 1, `, `methods[1].search: unknown key "by"; known are score, seed, set, training`},
		{"key in other letters", `"seeds"`, `"Seeds"`, `unknown key "Seeds" (seeds?)`},
		{"training setting", `"epochs"`, `"epoch"`, `training: unknown training setting "epoch" (epochs?)`},
		{"setting of a search", `{"w":`, `{"weight":`, `method ASCOOD: search: unknown training setting "weight"`},
		{"score", `["msp", "knn"]`, `["msp", "kn"]`, `method CE: unknown score "kn" (knn?)`},
		{"score without a preset", `["msp", "knn"]`, `["published"]`, "score published: data clothes is of no preset"},
		{"syntax", `"seeds": [0, 1],`, `"seeds": [0, 1`, "line 2: invalid character"},
		{"kind", `[0, 1]`, `["a"]`, "line 2: seeds cannot be a JSON string"},
		{"seeds", `"seeds": [0, 1],`, ``, "seeds are missing"},
		{"seed twice", `[0, 1]`, `[1, 1]`, "seeds has 1 twice"},
		{"name twice", `"name": "ASCOOD"`, `"name": "CE"`, "methods: the name CE is there twice"},
		{"no name", `"name": "clothes", `, ``, "data[0]: name is missing"},
		{"list", `"test": "IMAGES/test_id-images-idx3-ubyte.gz",`, ``, "data clothes: test is missing: the images for it"},
		{"OOD", `"far": [{"name": "digits", "images": "IMAGES/test_ood-images-idx3-ubyte.gz"}]`, `"far": []`, "data clothes: near and far are missing"},
		{"images of a set", `"images": "IMAGES/test_ood-images-idx3-ubyte.gz"`, `"images": ""`, "data clothes: digits: images are missing"},
		{"name of a set", `"name": "digits"`, `"name": "a/b"`, `the name "a/b" of a set is to name files`},
		{"outliers", `"outliers": "IMAGES/val_ood-images-idx3-ubyte.gz[:20]",`, ``, "method MixOE: it learns from outliers: data clothes names no images of other things as outliers"},
		{"OOD validation images", `"ood_val": "IMAGES/val_ood-images-idx3-ubyte.gz",`, ``, "method ASCOOD: search: data clothes has no ood_val to compare on"},
		{"from", `"from": "CE"`, `"from": "CEE"`, `method MixOE: from: there is no method "CEE" before it`},
		{"data of from", `"method": "ce"`, `"method": "ce", "only": ["cars"]`, `method CE: only: unknown data "cars"; known are clothes`},
		{"preset beside lists", `"name": "clothes",`, `"name": "clothes", "preset": "cifar10",`, "data clothes: train has no meaning beside preset"},
		{"preset", `"name": "clothes",`, `"name": "clothes", "preset": "cifar",`, `data clothes: unknown preset "cifar" (cifar10?)`},
		{"empty search", `"training": {"w": [0.1, 1, 5]}`, `"training": {}`, "method ASCOOD: search: names no values to try"},
		{"score of a search", `"score": "msp", `, ``, "method ASCOOD: search: score is missing"},
		{"value", `"epochs": 2`, `"epochs": {"a": 1}`, "training: epochs: want a number, a word, true, false or a list of these"},
		{"metric", `"seeds"`, `"table": {"metrics": ["auroc"]}, "seeds"`, `table: unknown metric "auroc"; known are FPR@95, AUROC`},
		{"column", `"seeds"`, `"table": {"columns": ["digit"]}, "seeds"`, `table: unknown column "digit" (digits?); known are digits, far, far_all, near`},
		{"no method", `"method": "ce"`, `"method": ""`, "method CE: method is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(miniature, test.old) {
				t.Fatalf("the plan has no %s", test.old)
			}
			_, err := plan(t, miniature, test.old, test.new)
			if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "miniature.json: ") {
				t.Errorf("%q is not in %v", test.want, err)
			}
		})
	}
}

// TestAllFaults: what is wrong with a plan is named all at once.
func TestAllFaults(t *testing.T) {
	_, err := plan(t, miniature, `"epochs"`, `"epoch"`, `"from": "CE"`, `"from": "X"`)
	if err == nil || !strings.Contains(err.Error(), "epoch") || !strings.Contains(err.Error(), `"X"`) {
		t.Errorf("%v", err)
	}
}

// TestTrainingKeys: a plan's training settings are the fields of a training's configuration
// and of its preprocessing, but for those that have a place of their own in a plan.
func TestTrainingKeys(t *testing.T) {
	elsewhere := []string{"method", "set", "outliers", "outlier_dir", "seed", "train", "val", "data_dir", "classes", "preset"}
	fields := []string{"preprocess"}
	var gather func(reflect.Type)
	gather = func(of reflect.Type) {
		for f := range of.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous || name == "preprocess":
				gather(f.Type)
			case !slices.Contains(elsewhere, name):
				fields = append(fields, strings.ReplaceAll(name, "orientation", "exif_orientation"))
			}
		}
	}
	gather(reflect.TypeFor[train.Config]())
	slices.Sort(fields)
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(f, "exif_exif", "exif")
	}
	if keys := slices.Sorted(slices.Values(trainingKeys)); !slices.Equal(keys, fields) {
		t.Errorf("training settings %q, want %q", keys, fields)
	}
}

func TestKnowledgeOfTheTrainer(t *testing.T) {
	if !slices.Equal(presets.Exposed(), train.Exposed()) {
		t.Errorf("methods that learn from outliers %q, want %q", presets.Exposed(), train.Exposed())
	}
	if c := train.Default(train.OODGradient); c.Epochs != defaultEpochs || c.Pretrained != notPretrained {
		t.Errorf("%d epochs from %s", c.Epochs, c.Pretrained)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"titel", "title", 2}, {"epoch", "epochs", 1}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want || distance(test.b, test.a) != test.want {
			t.Errorf("%s to %s: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// TestShippedPlans: they are sound, and their parts can be listed on the published layout of
// data. Other images than a preset's are made by programs, and are not looked at here.
func TestShippedPlans(t *testing.T) {
	root := layout(t)
	paths, err := filepath.Glob("../plans/*.json")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d plans, %v", len(paths), err)
	}
	for _, path := range paths {
		p, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range p.Methods {
			if !slices.Contains(train.Methods(), m.Method) {
				t.Errorf("%s: there is no method %s", path, m.Method)
			}
		}
		if slices.ContainsFunc(p.Data, func(d Data) bool { return d.Preset == "" }) {
			continue
		}
		s, err := New(p, Options{Folder: t.TempDir(), DataRoot: root, Jobs: 1})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		s.x.expand()
		runs := 0
		for _, part := range s.x.parts {
			if part.Kind == Evaluate {
				runs++
			}
		}
		want := 0
		for _, d := range p.Data {
			want += len(p.methods(d.Name)) * len(p.Seeds)
		}
		if runs != want {
			t.Errorf("%s: %d networks are evaluated, want %d", path, runs, want)
		}
		for _, c := range s.columns() {
			if s.x.sources[c.data].rowName(c.set) == "" {
				t.Errorf("%s: nothing is in the column %s", path, c.text())
			}
		}
	}
}

// TestPreset: what the programs are told of a published experiment.
func TestPreset(t *testing.T) {
	root := layout(t)
	p, err := plan(t, `{"title": "Birds", "seeds": [0], "scores": ["published"], "data": [{"name": "birds", "preset": "waterbirds", "pretrained": "weights.pth"}],
	  "methods": [{"name": "CE", "method": "ce", "search": {"score": "knn", "training": {"lr": [0.1]}}}, {"name": "OE", "method": "oe"}, {"name": "MixOE", "method": "mixoe", "from": "CE"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(p, Options{Folder: t.TempDir(), DataRoot: root, Jobs: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.x.found[combination{"", "birds", "CE"}] = Settings{"lr": 0.1}
	s.x.expand()
	for _, part := range s.x.parts {
		if err := os.MkdirAll(part.folder, 0o755); err != nil {
			t.Fatal(err)
		}
		args, err := s.args(part)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Join(args, " ")
		var want, not []string
		switch {
		case part.Kind == Train && part.Method == "MixOE":
			want, not = []string{"--preset=waterbirds --data-root=" + root, "--pretrained=" + s.opt.Folder}, []string{"--outliers", "weights.pth"}
		case part.Kind == Train:
			want = []string{"--preset=waterbirds", "--pretrained=" + filepath.Join(root, "weights.pth")}
		case part.Kind == Export:
			want = []string{"--calibrate=" + root + "/benchmark_imglist/waterbirds/waterbirds_val.txt", "--data-dir=" + root + "/images_largescale/waterbirds"}
		case part.Kind == Evaluate:
			want, not = []string{"--preset=waterbirds", "--postprocessor=odin", "--far-extra=true"}, []string{"--id="}
		case part.Kind == Validate:
			want, not = []string{"--postprocessor=knn", "--data-root=" + root, "--truncated=fill", "--id=" + part.folder, "--id-train=" + part.folder, "--far=validation=" + part.folder}, []string{"--preset"}
			if list := read(t, value(args, "id")); list != "images_largescale/waterbirds/val/0.png 1\nimages_largescale/waterbirds/val/1.png 1\n" {
				t.Errorf("the list of validation images is\n%s", list)
			}
		}
		for _, w := range want {
			if !strings.Contains(line, w) {
				t.Errorf("%s: %q is not in %s", part.Name(), w, line)
			}
		}
		for _, n := range not {
			if strings.Contains(line, n) {
				t.Errorf("%s: %q is in %s", part.Name(), n, line)
			}
		}
	}
}

// layout makes the lists of all presets, of two images each, under a data root.
func layout(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range presets.Names() {
		p, err := presets.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Sets {
			list, images := s.Under(root)
			label := -1
			if slices.Contains([]presets.Role{presets.Train, presets.Val, presets.Test, presets.CSID}, s.Role) {
				label = p.Classes - 1
			}
			var lines strings.Builder
			for i := range 2 {
				image := fmt.Sprintf("%s%s/%d.png", s.Role, s.Name, i)
				if err := put(filepath.Join(images, image), ""); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&lines, "%s %d\n", image, label)
			}
			if err := put(list, lines.String()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}
