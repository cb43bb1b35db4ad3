package presets

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
)

// dataRoot makes a data root with two empty images for each set of the preset.
func dataRoot(t *testing.T, p *Preset) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, s := range p.Sets {
		list, images := s.Under(root)
		label := -1
		if s.Role.inDistribution() {
			label = p.Classes - 1
		}
		var lines strings.Builder
		for i := range 2 {
			image := fmt.Sprintf("%s/%s/%d.png", s.Role, s.Name, i)
			write(t, filepath.Join(images, image), "")
			fmt.Fprintf(&lines, "%s %d\n", image, label)
		}
		write(t, list, lines.String())
	}
	return root
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckDataComplete(t *testing.T) {
	for _, name := range Names() {
		p := load(t, name)
		report := p.CheckData(dataRoot(t, p), Roles()...)
		if err := report.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, s := range report.Sets {
			if s.Sound != 2 {
				t.Errorf("%s: %d images of %v, want 2", name, s.Sound, s.Set)
			}
		}
	}
}

func TestCheckDataIncomplete(t *testing.T) {
	p := load(t, "waterbirds")
	root := dataRoot(t, p)
	lists := filepath.Join(root, "benchmark_imglist")
	write(t, filepath.Join(lists, "waterbirds/waterbirds_train.txt"), "train/0.png 0\nnone.png 1\ntrain/1.png 2\ntrain/1.png\n/x.png 0\n")
	write(t, filepath.Join(lists, "sun/sun.txt"), "\n")
	for _, path := range []string{filepath.Join(lists, "waterbirds/waterbirds_val.txt"), filepath.Join(lists, "cifar100/test_texture.txt"), filepath.Join(root, "images_largescale/waterbirds_ood"), filepath.Join(root, "images_classic")} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	err := p.CheckData(root).Err()
	if ascood.CodeOf(err) != ascood.Invalid {
		t.Fatalf("error %v, want an invalid one", err)
	}
	for _, want := range []string{
		"data of preset waterbirds under " + root,
		"  train                benchmark_imglist/waterbirds/waterbirds_train.txt         images_largescale/waterbirds/      4 of 5 lines are faulty\n",
		"  val                  benchmark_imglist/waterbirds/waterbirds_val.txt           images_largescale/waterbirds/      missing: the list\n",
		"  test                 benchmark_imglist/waterbirds/waterbirds_test.txt          images_largescale/waterbirds/      2 images\n",
		"images_largescale/waterbirds_ood/  missing: the folder of the images\n",
		"images_classic/                    missing: the list and the folder of the images\n",
		"sun.txt: no images; want a line",
		"train: waterbirds_train.txt:2: none.png is missing\n",
		"train: waterbirds_train.txt:3: label 2: there are 2 classes, 0 to 1\n",
		"train: waterbirds_train.txt:4: no label",
		"5 of 10 are complete. A data root has OpenOOD's layout: under benchmark_imglist/",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the report does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "waterbirds_train.txt:5") {
		t.Errorf("the report names all faults:\n%v", err)
	}
	if err := p.CheckData(root, Test, OODVal).Err(); err != nil {
		t.Errorf("test and ood_val alone: %v", err)
	}
	if err := p.CheckData(filepath.Join(root, "elsewhere"), Train).Err(); err == nil || !strings.Contains(err.Error(), "0 of 1 are complete") {
		t.Errorf("another root: %v", err)
	}
}

func TestCheckDataWithoutLists(t *testing.T) {
	r := load(t, "imagenet100").CheckData(t.TempDir())
	if err := r.Err(); err != nil || !strings.Contains(r.String(), "imagenet100 has no published image lists") {
		t.Errorf("%v: %v", err, r)
	}
}

func TestOpen(t *testing.T) {
	p := load(t, "celeba")
	root := dataRoot(t, p)
	near := p.Select(Near)
	if len(near) != 1 || near[0].String() != "near celeba_ood" {
		t.Fatalf("near sets %v", near)
	}
	d, err := near[0].Open(root)
	if err != nil {
		t.Fatal(err)
	}
	crops, err := load(t, "imagenet").Sets[10].Open(dataRoot(t, load(t, "imagenet")))
	if c, ok := crops.(dataset.Cropped); err != nil || !ok || !c.IsCrop(0) {
		t.Errorf("ImageNet-C is resized (%v)", err)
	}
	if d.Len() != 2 || d.Name(1) != "near/celeba_ood/1.png" || d.Label(1) != -1 {
		t.Errorf("%d images, the last %s of class %d", d.Len(), d.Name(1), d.Label(1))
	}
}
