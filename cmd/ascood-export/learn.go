package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// learning are the flags of scores that are no part of every artifact.
type learning struct {
	train, validID string
	settings       []string
	bank           int
	bankType       string
	combine        string
	method         *eval.Entry // nil for a score of every artifact
	network        string      // that the settings were found for, "" if it is not known
}

func (r *request) addLearning() {
	fs := r.fs
	fs.StringVar(&r.learning.train, "id-train", "", "labelled training `images`, for the scores that learn from them")
	fs.StringVar(&r.learning.validID, "id-val", "", "labelled in-distribution validation `images`, for the scores that learn from these")
	fs.StringArrayVar(&r.learning.settings, "set", nil, "hyperparameter of the score as `method.name=value`; may be repeated")
	fs.Var(cli.Int(&r.learning.bank, 0, 1<<31), "bank", "take only `N` of the training images, at random; 0 is all")
	fs.StringVar(&r.learning.combine, "combine", string(posthoc.Fisher), "how the p-values of a score of several methods, such as iodin+knn, become one number: fisher or minimum")
	fs.StringVar(&r.learning.bankType, "bank-type", string(posthoc.Float32), "how the file holds the training images' features: float32, or float16 in half the room")
}

// chooseScore finds out which method the score is, and how it is set.
func (r *request) chooseScore() error {
	name, settings, err := r.scoreFile()
	if err != nil {
		return err
	}
	given, err := posthoc.Assignments(r.learning.settings)
	if err != nil {
		return cli.Usagef("--set %w", err)
	}
	for method := range given {
		if !slices.Contains(strings.Split(name, "+"), method) {
			return cli.Usagef("--set %s: the score is %s", method, name)
		}
	}
	if slices.Contains(artifact.ScoreNames(), artifact.ScoreName(name)) && settings == "" && len(given) == 0 {
		return r.checkLearning(name, posthoc.Needs{})
	}
	m, parts, err := r.newMethod(name)
	if err != nil {
		return cli.Usagef("--score: %w", err)
	}
	for _, flag := range []string{"temperature", "noise"} {
		if r.fs.Changed(flag) {
			return cli.Usagef("--%s has no meaning beside the settings of %s: choose with --set %s.NAME=VALUE", flag, name, name)
		}
	}
	if settings != "" {
		if err := posthoc.Configure(m, settings); err != nil {
			return cli.Usagef("the score %s: %w", name, err)
		}
	}
	if c, ok := m.(*posthoc.Combined); ok && r.fs.Changed("combine") {
		if err := c.By(posthoc.Rule(r.learning.combine)); err != nil {
			return cli.Usagef("--combine: %w", err)
		}
	}
	for method, object := range given {
		if err := posthoc.Configure(parts[method], object); err != nil {
			return cli.Usagef("the score %s: %w", method, err)
		}
	}
	r.learning.method = &eval.Entry{Name: name, Method: m}
	return r.checkLearning(name, m.Needs())
}

// newMethod returns the method of a name, or those of several names with "+" between them,
// combined, with its parts by name.
func (r *request) newMethod(name string) (posthoc.Method, map[string]posthoc.Method, error) {
	m, err := posthoc.New(name)
	if err != nil {
		return nil, nil, err
	}
	c, ok := m.(*posthoc.Combined)
	if !ok {
		if r.fs.Changed("combine") {
			return nil, nil, ascood.Errorf(ascood.Invalid, "--combine is for several methods, such as iodin+knn")
		}
		return m, map[string]posthoc.Method{name: m}, nil
	}
	parts := map[string]posthoc.Method{}
	for i, part := range c.Parts {
		parts[c.Names[i]] = part
	}
	return c, parts, nil
}

// scoreFile returns the score that the flag names, or the one in a file of ascood-eval's
// that it names, with the settings in there.
func (r *request) scoreFile() (name, settings string, err error) {
	score := r.score.Name()
	if score == "" && r.published.Score.Name != "" {
		return string(r.published.Score.Name), r.published.Score.Settings, nil
	}
	if score == "" {
		return string(artifact.ScoreIODIN), "", nil
	}
	name, isFile := strings.CutSuffix(filepath.Base(score), ".json")
	if !isFile {
		return score, "", nil
	}
	text, err := os.ReadFile(score)
	if err != nil {
		return "", "", ascood.Errorf(ascood.Invalid, "--score: %w", err)
	}
	var found struct {
		Settings json.RawMessage
		Network  string
	}
	if err := json.Unmarshal(text, &found); err != nil || found.Settings == nil {
		return "", "", ascood.Errorf(ascood.Invalid, "--score %s: not a file of settings that ascood-eval --output wrote", score)
	}
	r.learning.network = found.Network
	return name, string(found.Settings), nil
}

// checkLearning reports flags that the method makes no use of.
func (r *request) checkLearning(method string, needs posthoc.Needs) error {
	for _, f := range []struct {
		flag string
		used bool
	}{{"id-train", needs.Train}, {"bank", needs.Train}, {"bank-type", needs.Train}, {"id-val", needs.ValidID}} {
		if r.fs.Changed(f.flag) && !f.used {
			return cli.Usagef("--%s has no meaning for the score %s, which does not learn from these images", f.flag, method)
		}
	}
	if !slices.Contains(posthoc.BankTypes(), posthoc.BankType(r.learning.bankType)) {
		return cli.Usagef("--bank-type %s: want float32 or float16", r.learning.bankType)
	}
	return nil
}

// learn gives an artifact the score that was chosen, if it is none that it has.
func (r *request) learn(ctx context.Context, m *onnx.ModelProto, d *artifact.Metadata, stderr io.Writer) (*onnx.ModelProto, *artifact.Metadata, error) {
	if r.learning.method == nil {
		return m, d, nil
	}
	n, err := eval.NewNetwork(m, d, ioodin.Options{Threads: r.threads})
	if err != nil {
		return nil, nil, err
	}
	defer n.Close()
	if err := r.checkNetwork(n); err != nil {
		return nil, nil, err
	}
	e := &eval.Evaluation{Network: n, SkipBroken: r.skipBroken}
	e.Skipped = func(set string, images int, broken []error) { modelflags.WarnSkipped(stderr, set, images, broken) }
	e.Progress = func(what string, images int) (func(int), func()) { return cli.Progress(stderr, images, what) }
	if e.Train.Images, err = r.openLearning("id-train", r.learning.train, d.Classes); err != nil {
		return nil, nil, err
	}
	if r.learning.bank > 0 {
		e.Train.Images = dataset.Sample(e.Train.Images, r.learning.bank)
	}
	if e.ValidID.Images, err = r.openLearning("id-val", r.learning.validID, d.Classes); err != nil {
		return nil, nil, err
	}
	if err := r.reuse(e); err != nil {
		return nil, nil, err
	}
	if m, d, err = e.Ship(ctx, eval.Choice{Entry: *r.learning.method}, posthoc.BankType(r.learning.bankType)); err != nil {
		return nil, nil, err
	}
	for _, note := range posthoc.Notes(r.learning.method.Method) {
		fmt.Fprintf(stderr, "Note: %s.\n", note)
	}
	m, err = export.Keep(m, d.Score, r.outputs)
	return m, d, err
}

// checkNetwork reports settings that were found for another network.
func (r *request) checkNetwork(n *eval.Network) error {
	if r.learning.network == "" {
		return nil
	}
	this, err := n.Identity()
	if err == nil && this != r.learning.network {
		err = ascood.Errorf(ascood.Invalid, "--score %s: its settings were found for another network, or other preprocessing: evaluate this one, or give the method's name and --set", r.score.Name())
	}
	return err
}

// reuse takes the features of the images that are learnt from out of the folder of
// ascood-eval's that --score names a file in, if they are there.
func (r *request) reuse(e *eval.Evaluation) error {
	if !strings.HasSuffix(r.score.Name(), ".json") {
		return nil
	}
	store := &eval.Store{Dir: filepath.Dir(r.score.Name())}
	if filepath.Base(store.Dir) == "scores" {
		store.Dir = filepath.Dir(store.Dir)
	}
	if _, err := os.Stat(filepath.Join(store.Dir, "features")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	e.Store = store
	for _, s := range []*eval.Set{&e.Train, &e.ValidID} {
		if s.Images == nil {
			continue
		}
		var err error
		if s.Digest, err = dataset.Digest(s.Images); err != nil {
			return err
		}
	}
	return nil
}

// openLearning opens labelled images; nil if none are named.
func (r *request) openLearning(flag, images string, classes []string) (dataset.Dataset, error) {
	if images == "" {
		return nil, nil
	}
	d, err := dataset.OpenFor(classes, images, r.dataDir)
	if err == nil {
		d, err = dataset.Relabel(d, classes)
	}
	if err == nil && !r.skipBroken {
		err = dataset.CheckFiles(d)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return d, nil
}

// fromArtifact loads a model that is to get another score.
func (r *request) fromArtifact() (*onnx.ModelProto, *artifact.Metadata, error) {
	m, d, err := artifact.Load(r.model)
	if err != nil {
		return nil, nil, err
	}
	if r.learning.method == nil {
		s, err := r.score.Apply(d.Score)
		if err != nil {
			return nil, nil, err
		}
		name, method, err := posthoc.Of(s)
		if err != nil {
			return nil, nil, err
		}
		r.learning.method = &eval.Entry{Name: name, Method: method}
	}
	d.Calibration = nil // it is of the former score
	if r.name != "" {
		d.Name = r.name
	}
	return m, d, nil
}

// checkModel reports flags that have no meaning for a model that is there already.
func checkModel(fs *pflag.FlagSet) error {
	return cli.OnlyBeside(fs, "model", "score", "temperature", "noise", "set", "combine", "id-train", "id-val", "bank", "bank-type",
		"data-dir", "skip-broken", "calibrate", "tpr", "threads", "outputs", "name", "output", "triton", "check", "truncated")
}

// describeSize says how large the file is that brings a score of its own along, of which
// a bank may be most.
func (r *request) describeSize(w io.Writer, m *onnx.ModelProto) error {
	if r.learning.method == nil {
		return nil
	}
	info, err := os.Stat(r.output)
	if err != nil {
		return err
	}
	bank := 0
	for _, t := range m.Graph.Initializer {
		if strings.HasPrefix(t.Name, posthoc.BankPrefix) {
			bank += len(t.RawData)
		}
	}
	fmt.Fprintf(w, "%.1f MiB", mebibytes(int(info.Size())))
	if bank > 0 {
		fmt.Fprintf(w, ", of which the training images that it compares with are %.1f MiB", mebibytes(bank))
	}
	fmt.Fprintln(w)
	return nil
}

func mebibytes(bytes int) float64 { return float64(bytes) / (1 << 20) }
