// Package scoring scores images with one model or several: it loads and replaces them,
// decodes images, and runs the network on those that wait, several at a time. It knows
// neither HTTP nor any other protocol.
package scoring

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ascood/ascood"
)

// NotFound is the code of an error about a model that is not there.
const NotFound ascood.Code = "not_found"

// Models are the models that are served, by name.
type Models struct {
	source  Source
	limits  Limits
	log     *slog.Logger
	metrics *metrics
	decoder *decoder
	queue   *queue
	observe func(v *Version, file []byte, r *Result) // nil for nobody

	// lost is done once a device is lost; its cause is the error.
	lost context.Context
	lose context.CancelCauseFunc

	reloading sync.Mutex // held by the one who loads
	mu        sync.RWMutex
	entries   map[string]*entry
	standard  string // name of the default, "" for none
}

// entry is what is known under a name.
type entry struct {
	file    file     // as it was when it was last loaded or refused
	serving *Version // nil if none could be loaded
	refused error    // why the file is not what is served, nil if it is
}

// Open loads the models. It is an error if the default, or the only one, cannot be
// served; of several others those that can be are. log may be nil.
func Open(ctx context.Context, source Source, limits Limits, log *slog.Logger) (*Models, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Models{
		source: source, limits: limits, log: log, metrics: newMetrics(),
		decoder: newDecoder(limits.MaxPixels), queue: &queue{most: limits.MaxQueue}, entries: map[string]*entry{}, standard: source.Default,
	}
	m.lost, m.lose = context.WithCancelCause(context.Background())
	if err := m.first(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Observe has f look at each image file that gets a verdict, and its result. It is to be
// called before any is scored; f is called by many goroutines.
func (m *Models) Observe(f func(v *Version, file []byte, r *Result)) { m.observe = f }

// first loads what there is, and settles on the default.
func (m *Models) first(ctx context.Context) error {
	if m.source.Model != "" {
		f := look(m.source.Name, m.source.Model)
		v, err := m.open(ctx, f)
		if err != nil {
			return err
		}
		m.standard, f.name = v.name, v.name
		m.entries[v.name] = &entry{file: f, serving: v}
	}
	if err := m.reload(ctx, false); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(m.entries))
	if m.standard == "" && len(names) == 1 {
		m.standard = names[0]
	}
	switch e := m.entries[m.standard]; {
	case len(names) == 0:
		return ascood.Errorf(ascood.Invalid, "no models in %s: want NAME.onnx or NAME/model.onnx", m.source.Folder)
	case m.standard != "" && e == nil:
		return ascood.Errorf(ascood.Invalid, "%s %s: there is no such model; there are %s", ascood.Field("default"), m.standard, strings.Join(names, ", "))
	case m.standard != "" && e.serving == nil:
		return e.refused
	case !slices.ContainsFunc(names, func(name string) bool { return m.entries[name].serving != nil }):
		return m.entries[names[0]].refused
	}
	return nil
}

// open opens a model's file and tries it. A file without a name is served by the one
// that it gives itself.
func (m *Models) open(ctx context.Context, f file) (v *Version, err error) {
	if f.err != nil {
		return nil, f.err
	}
	err = Guard(func() error {
		model, err := m.source.Open(f.path, false)
		if err != nil {
			return err
		}
		if f.name == "" {
			f.name = model.Info().Name
		}
		if v, err = newVersion(ctx, m, f, model); err != nil {
			return errors.Join(err, model.Close())
		}
		m.metrics.loads.WithLabelValues(f.name, "loaded").Inc()
		m.log.Info("model loaded", "model", f.name, "file", f.path, "settings", model.Settings().String(),
			"device", model.Device().String(), "weights_sha256", model.Info().Source.SHA256)
		return nil
	})
	if errors.Is(err, ascood.ErrDeviceLost) {
		m.lose(err)
	}
	return v, err
}

// Reload loads what is new or changed since it was last looked at, and drops what is
// gone from the folder. Files that were refused are tried again only if they have
// changed, or if retry says so. What was served goes on until its successor has been
// tried; it is freed when nobody uses it any more, and only then the next is loaded, so
// that no more than one model is held twice.
func (m *Models) Reload(ctx context.Context, retry bool) {
	if err := m.reload(ctx, retry); err != nil {
		m.log.Error("models are left as they are", "error", err.Error())
	}
}

func (m *Models) reload(ctx context.Context, retry bool) error {
	m.reloading.Lock()
	defer m.reloading.Unlock()
	files, err := m.source.files(m.standardOf(m.source.Model))
	if err != nil {
		return err
	}
	gone := m.names()
	for _, f := range files {
		if ctx.Err() != nil {
			return nil // shutting down
		}
		delete(gone, f.name)
		if e := m.entry(f.name); e != nil && e.file.same(f) && (e.refused == nil || !retry) {
			continue
		}
		m.load(ctx, f)
	}
	for name := range gone {
		m.drop(name)
	}
	return nil
}

// standardOf is the default's name, if it has a file of its own.
func (m *Models) standardOf(model string) string {
	if model == "" {
		return ""
	}
	return m.standard
}

// load puts a file's model in its place, or keeps what is there.
func (m *Models) load(ctx context.Context, f file) {
	v, err := m.open(ctx, f)
	next := &entry{file: f, serving: v, refused: err}
	m.mu.Lock()
	old := m.entries[f.name]
	if v == nil && old != nil {
		next.serving = old.serving
	}
	m.entries[f.name] = next
	m.mu.Unlock()
	switch {
	case err != nil:
		m.metrics.loads.WithLabelValues(f.name, "refused").Inc()
		m.log.Error("model refused", "model", f.name, "file", f.path, "error", err.Error(), "serving_the_former", next.serving != nil)
	case old != nil && old.serving != nil:
		m.free(old.serving)
	}
}

// drop ends the service of a model whose file is gone.
func (m *Models) drop(name string) {
	m.mu.Lock()
	v := m.entries[name].serving
	delete(m.entries, name)
	m.mu.Unlock()
	m.log.Info("model dropped: its file is gone", "model", name)
	if v != nil {
		m.free(v)
	}
	m.metrics.forget(name)
}

// free waits for the users of a version that nobody can acquire any more.
func (m *Models) free(v *Version) {
	if err := v.retire(); err != nil {
		m.log.Error("model not freed", "model", v.name, "error", err.Error())
	}
}

func (m *Models) entry(name string) *entry {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.entries[name]
}

func (m *Models) names() map[string]bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	names := map[string]bool{}
	for name := range m.entries {
		names[name] = true
	}
	return names
}

// Acquire returns the model of that name, or the default for "". It is to be released.
func (m *Models) Acquire(name string) (*Version, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, err := m.find(name)
	if err == nil {
		v.users.Add(1)
	}
	return v, err
}

// Check returns the error that Acquire would.
func (m *Models) Check(name string) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, err := m.find(name)
	return err
}

func (m *Models) find(name string) (*Version, error) {
	if name == "" {
		name = m.standard
	}
	if name == "" {
		return nil, ascood.Errorf(NotFound, "no model is the default: name one of those that are served")
	}
	e := m.entries[name]
	switch {
	case e == nil:
		return nil, ascood.Errorf(NotFound, "no such model: %.100q", name)
	case e.serving == nil:
		return nil, ascood.Errorf(ascood.Unavailable, "model %s cannot be served: its file was refused", name)
	}
	return e.serving, nil
}

// Status says what is served under a name.
type Status struct {
	Name    string
	Default bool
	Serving *Version // nil if none could be loaded
	Refused string   // why the file, as it is now, is not what is served; "" if it is
}

// List returns all models, by name.
func (m *Models) List() []Status {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []Status
	for _, name := range slices.Sorted(maps.Keys(m.entries)) {
		e := m.entries[name]
		s := Status{Name: name, Default: name == m.standard, Serving: e.serving}
		if e.refused != nil {
			s.Refused = e.file.reason(e.refused)
		}
		list = append(list, s)
	}
	return list
}

// Lost is done once a device is lost for good, which ends all scoring. Its cause wraps
// ascood.ErrDeviceLost.
func (m *Models) Lost() context.Context { return m.lost }

// Close frees the models after the batches in work. What waits is refused.
func (m *Models) Close() error {
	m.reloading.Lock()
	defer m.reloading.Unlock()
	m.mu.Lock()
	entries := m.entries
	m.entries = map[string]*entry{}
	m.mu.Unlock()
	var errs []error
	for _, e := range entries {
		if e.serving != nil {
			errs = append(errs, e.serving.close())
		}
	}
	return errors.Join(errs...)
}
