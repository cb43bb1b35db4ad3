//go:build browser

package serve

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ascood/ascood/serve/scoring"
)

// Tests of the upload page in Chromium (make test-page). PAGE_SCREENSHOTS is a folder to
// leave pictures in, for people to look at.

// tab is the page of a server with two models and one that was refused, in a browser.
type tab struct {
	*testing.T
	ctx  context.Context
	wide int64
}

func openPage(t *testing.T, scheme string, wide int64) *tab {
	t.Helper()
	allocator, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking", true))...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	p := &tab{t, ctx, wide}
	p.do(chromedp.EmulateViewport(wide, 900), command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}))
	p.do(command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
	p.do(chromedp.Navigate("http://" + serveOn(t, pageServer(t)) + "/"))
	p.wait(`document.querySelector("#limits").textContent !== ""`)
	return p
}

// pageServer serves two models, the first of which is the default.
func pageServer(t *testing.T) *Server {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"first", "second", "broken"} {
		if err := os.WriteFile(filepath.Join(folder, name+".onnx"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := DefaultConfig()
	source := scoring.Source{Folder: folder, Default: "first", Open: func(path string, _ bool) (scoring.Model, error) {
		if strings.HasSuffix(path, "broken.onnx") {
			return nil, fmt.Errorf("not a model")
		}
		return &fakeModel{}, nil
	}}
	models, err := scoring.Open(t.Context(), source, config.Limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { models.Close() })
	s, err := New(models, config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.Fatal(err)
	}
}

// command is a command of the protocol that chromedp has no action for.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func evaluate[T any](p *tab, expression string) T {
	p.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return value
}

// wait is for what the page does in its own time.
func (p *tab) wait(condition string) {
	p.Helper()
	for end := time.Now().Add(30 * time.Second); !evaluate[bool](p, "!!("+condition+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("never: %s; the page says %q", condition, evaluate[string](p, "document.body.innerText"))
		}
	}
}

// settled waits until n images have an answer.
func (p *tab) settled(n int) {
	p.Helper()
	p.wait(fmt.Sprintf(`document.querySelectorAll(".card").length === %d && !document.querySelector("#summary").textContent.includes("waiting")`, n))
}

// verdicts are those on the page, with the files' names.
func (p *tab) verdicts() string {
	p.Helper()
	return evaluate[string](p, `[...document.querySelectorAll(".card")].map(c => c.querySelector(".file").textContent + ": " + c.querySelector(".verdict").textContent).join("; ")`)
}

func (p *tab) press(keys string, options ...chromedp.KeyOption) {
	p.Helper()
	p.do(chromedp.KeyEvent(keys, options...))
}

// tabTo presses the tab key until an element has the focus.
func (p *tab) tabTo(selector string) {
	p.Helper()
	for range 40 {
		p.press(kb.Tab)
		if evaluate[bool](p, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			return
		}
	}
	p.Fatalf("the keyboard does not get to %s", selector)
}

// screenshot leaves a picture of the whole page for people.
func (p *tab) screenshot(name string) {
	p.Helper()
	folder := os.Getenv("PAGE_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d.png", name, p.wide)), picture, 0o600); err != nil {
		p.Fatal(err)
	}
}

// pictures are a bright and a dark image, and a file that is none.
func pictures(t *testing.T) []string {
	t.Helper()
	folder := t.TempDir()
	var paths []string
	for _, file := range []struct {
		name string
		data []byte
	}{
		{"bright.png", encodePNG(t, uniform(image.NewRGBA(image.Rect(0, 0, 200, 150)), color.RGBA{250, 240, 200, 255}))},
		{"dark.png", encodePNG(t, uniform(image.NewRGBA(image.Rect(0, 0, 200, 150)), color.RGBA{10, 20, 40, 255}))},
		{"notes.txt", []byte("not an image")},
	} {
		path := filepath.Join(folder, file.name)
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// drop lets files fall onto the page, as a file manager would.
func (p *tab) drop(files []string) {
	p.Helper()
	for _, event := range []input.DispatchDragEventType{"dragEnter", "dragOver", "drop"} {
		p.do(command(input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: event, X: float64(p.wide) / 2, Y: 200, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1},
		}))
	}
}

// TestBrowser goes through the page by mouse and by keyboard: files are dropped, one is
// pasted, one is chosen; a verdict is explained; another model is asked; drift is shown.
func TestBrowser(t *testing.T) {
	p := openPage(t, "light", 1000)
	files := pictures(t)
	p.drop(files)
	p.settled(3)
	for _, want := range []string{"bright.png: ✓ In distribution", "dark.png: ✕ Out of distribution", "notes.txt: Not scored"} {
		if got := p.verdicts(); !strings.Contains(got, want) {
			t.Errorf("dropped: %s; want %s", got, want)
		}
	}

	p.paste()
	p.settled(4)
	if got := p.verdicts(); !strings.HasPrefix(got, "image.png: ✓ In distribution") {
		t.Errorf("pasted: %s", got)
	}

	p.tabTo(".why")
	p.press(kb.Enter)
	p.wait(`document.querySelector(".map img").naturalWidth > 0`)
	if caption := evaluate[string](p, `document.querySelector(".map figcaption").textContent`); !strings.HasPrefix(caption, "Red:") {
		t.Errorf("explained: %s", caption)
	}

	p.do(chromedp.Focus("#model"))
	p.press("second") // a list is chosen from by its letters
	p.wait(`document.querySelector("#about").textContent.includes("“second”")`)
	p.do(chromedp.SetUploadFiles("#files", files[:1]))
	p.settled(5)
	if got := p.verdicts(); !strings.Contains(strings.Split(got, "; ")[0], "(second): ") {
		t.Errorf("chosen for another model: %s", got)
	}

	p.do(chromedp.Focus("#drift > summary"))
	p.press(kb.Enter)
	p.wait(`document.querySelector("#drift-words").textContent.includes("Of the last")`)
	p.screenshot("light")
}

// paste puts an image of the page's own making into the clipboard, and presses the keys.
func (p *tab) paste() {
	p.Helper()
	if _, err := chromedp.CallBrowser(p.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-write"}, Setting: browser.PermissionSettingGranted,
	}); err != nil {
		p.Fatal(err)
	}
	evaluate[bool](p, `(async () => {
		const canvas = new OffscreenCanvas(64, 64), pen = canvas.getContext("2d");
		pen.fillStyle = "#eee";
		pen.fillRect(0, 0, 64, 64);
		await navigator.clipboard.write([new ClipboardItem({ "image/png": await canvas.convertToBlob() })]);
		return true;
	})()`)
	p.do(command(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyDown", Key: "v", Code: "KeyV", Modifiers: 2, Commands: []string{"paste"}}))
}

// TestLooks: light and dark, on a desk and in a hand, all text can be read, nothing
// sticks out sideways, and each control says what it is.
func TestLooks(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		for _, wide := range []int64{1000, 360} {
			t.Run(fmt.Sprint(scheme, wide), func(t *testing.T) {
				p := openPage(t, scheme, wide)
				p.do(chromedp.SetUploadFiles("#files", pictures(t)))
				p.settled(3)
				evaluate[bool](p, `document.querySelector(".why:not([hidden])").click() ?? true`)
				p.wait(`document.querySelector(".map img")?.naturalWidth > 0`)
				p.do(chromedp.Click("#drift > summary"))
				p.wait(`document.querySelector("#drift-words").textContent.includes("Of the last")`)
				p.screenshot(scheme)
				if over := evaluate[int](p, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
					t.Errorf("the page is %d pixels wider than the window", over)
				}
				script, err := os.ReadFile("testdata/looks.js")
				if err != nil {
					t.Fatal(err)
				}
				for _, fault := range evaluate[[]string](p, string(bytes.TrimSpace(script))) {
					t.Error(fault)
				}
			})
		}
	}
}
