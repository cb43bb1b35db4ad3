package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/testmodel"
)

func TestScoreFiles(t *testing.T) {
	dir := t.TempDir()
	good, text := filepath.Join(dir, "good.png"), filepath.Join(dir, "text.png")
	writePNG(t, good)
	write(t, text, "no image")
	out := filepath.Join(dir, "scores.csv")
	_, stderr, err := score(t, "--model", testmodel.LeNet(t), "-o", out, good, text, filepath.Join(dir, "none.png"))
	if err == nil || !strings.Contains(err.Error(), "2 of 3 images could not be scored") {
		t.Errorf("error %v, want one that counts the unreadable images", err)
	}
	for _, name := range []string{"text.png", "none.png"} {
		if !strings.Contains(stderr, name) {
			t.Errorf("stderr does not report %s:\n%s", name, stderr)
		}
	}
	rows := readCSV(t, out)
	if got := strings.Join(rows[0], ","); got != "image,label,prediction,class,score,p_value,verdict,error" {
		t.Errorf("header %s", got)
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows, want a header and 3", len(rows))
	}
	first := rows[1]
	class, err := strconv.Atoi(first[2])
	if err != nil || first[0] != good || first[1] != "" || first[3] != testmodel.Classes[class] || first[7] != "" {
		t.Errorf("row %v", first)
	}
	if p, err := strconv.ParseFloat(first[5], 64); err != nil || p <= 0 || p > 1 || (first[6] == "in_distribution") != (p > 0.05) {
		t.Errorf("p-value %s and verdict %s", first[5], first[6])
	}
	for _, row := range rows[2:] {
		if row[4] != "" || row[6] != "" || row[7] == "" {
			t.Errorf("row of an unreadable image: %v", row)
		}
	}
}

// TestScoreDataset scores labelled images and checks that neither the batch size
// nor the number of threads matters.
func TestScoreDataset(t *testing.T) {
	model := testmodel.LeNet(t)
	set := filepath.Join(testmodel.FashionMNIST, "t10k-images-idx3-ubyte.gz[:50]")
	one, _, err := score(t, "--model", model, "--imglist", set, "--batch-size", "1", "--threads", "1")
	if err != nil {
		t.Fatal(err)
	}
	many, _, err := score(t, "--model", model, "--imglist", set, "--batch-size", "16", "--threads", "2")
	if err != nil {
		t.Fatal(err)
	}
	if one != many {
		t.Error("scores depend on batch size or threads")
	}
	if n := strings.Count(one, "\n"); n != 51 || !strings.Contains(one, "t10k-images-idx3-ubyte[0],9,") {
		t.Errorf("%d lines:\n%s", n, one)
	}
}

// TestLabels: the model's numbers of classes that a list or folders name; other folders
// have those of their order.
func TestLabels(t *testing.T) {
	model := testmodel.LeNet(t)
	folders := func(names ...string) (dir string) {
		dir = t.TempDir()
		for _, name := range names {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			writePNG(t, filepath.Join(dir, name, "a.png"))
		}
		return dir
	}
	bag, coat := testmodel.Classes[8], testmodel.Classes[4]
	list := filepath.Join(folders("x"), "list.txt")
	write(t, list, "x/a.png "+bag+"\nx/a.png "+coat+"\nx/a.png 3\n")
	for images, want := range map[string]string{
		list: "8 4 3", folders(bag, coat): "8 4", folders("3", "7"): "3 7", folders("cat", "dog"): "0 1",
	} {
		out := filepath.Join(t.TempDir(), "scores.csv")
		if _, _, err := score(t, "--model", model, "--imglist", images, "-o", out); err != nil {
			t.Fatal(err)
		}
		var labels []string
		for _, row := range readCSV(t, out)[1:] {
			labels = append(labels, row[1])
		}
		if got := strings.Join(labels, " "); got != want {
			t.Errorf("%s: labels %s, want %s", images, got, want)
		}
	}
}

func TestScoreMethods(t *testing.T) {
	model := testmodel.LeNet(t)
	file := filepath.Join(t.TempDir(), "a.png")
	writePNG(t, file)
	for _, method := range []string{"iodin", "odin", "msp"} {
		out, stderr, err := score(t, "--model", model, "--score", method, file)
		if err != nil {
			t.Fatal(err)
		}
		verdicts := strings.Contains(out, "_distribution")
		if want := method == "iodin"; verdicts != want || strings.Contains(stderr, "calibrated for") == want {
			t.Errorf("%s: verdicts %v, stderr %q", method, verdicts, stderr)
		}
	}
}

func TestWrongInput(t *testing.T) {
	model := testmodel.LeNet(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "a.png")
	writePNG(t, file)
	list := func(content string) string {
		path := filepath.Join(t.TempDir(), "list.txt")
		write(t, path, content)
		return path
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no model":            {[]string{file}, "--model is missing"},
		"missing model":       {[]string{"--model", "none.onnx", file}, "none.onnx"},
		"not ours":            {[]string{"--model", testmodel.Path("go.mod"), file}, "not an ONNX file"},
		"model as output":     {[]string{"--model", model, "-o", model, file}, "read from"},
		"folder as output":    {[]string{"--model", model, "-o", dir, file}, "is a folder"},
		"threads":             {[]string{"--model", model, "--threads", "9999999", file}, "from 0 to 1024"},
		"temperature inf":     {[]string{"--model", model, "--temperature", "inf", file}, "must be a number"},
		"data-dir alone":      {[]string{"--model", model, "--data-dir", dir, file}, "no meaning without --imglist"},
		"no images":           {[]string{"--model", model}, "no images"},
		"both":                {[]string{"--model", model, "--imglist", "x", file}, "not both"},
		"score":               {[]string{"--model", model, "--score", "energy", file}, "known are iodin, iodin_fast, odin, msp"},
		"temperature":         {[]string{"--model", model, "--temperature", "0", file}, "greater than 0"},
		"noise of msp":        {[]string{"--model", model, "--score", "msp", "--noise", "1", file}, "no meaning"},
		"device":              {[]string{"--model", model, "--device", "gpu", file}, "known are cpu, cuda"},
		"no CUDA":             {[]string{"--model", model, "--device", "cuda:99", file}, "CUDA"},
		"batch size":          {[]string{"--model", model, "--batch-size", "-1", file}, "at least 1"},
		"output":              {[]string{"--model", model, "-o", filepath.Join(dir, "no", "s.csv"), file}, "there is no folder"},
		"unlabelled line":     {[]string{"--model", model, "--imglist", list("a.png\n")}, "list.txt:1"},
		"absolute path":       {[]string{"--model", model, "--imglist", list("a.png 1\n/etc/passwd 0\n")}, "list.txt:2"},
		"path that leads out": {[]string{"--model", model, "--imglist", list("../a.png 0\n")}, ".."},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := score(t, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if out != "" {
				t.Errorf("something was written:\n%s", out)
			}
		})
	}
}

// cancelling cancels a context once it has been written to so many times.
type cancelling struct {
	bytes.Buffer
	cancel context.CancelFunc
	left   int
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

// TestInterruptedOutput: what is on standard output by then are whole rows.
func TestInterruptedOutput(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := cancelling{cancel: cancel, left: 4}
	set := filepath.Join(testmodel.FashionMNIST, "t10k-images-idx3-ubyte.gz[:2000]")
	err := run(ctx, []string{"--model", testmodel.LeNet(t), "--imglist", set, "--batch-size", "2"}, &out, io.Discard)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "of 2000 images") {
		t.Errorf("error %v, want one that says how far it came", err)
	}
	rows, err := csv.NewReader(&out.Buffer).ReadAll()
	if err != nil || len(rows) < 3 || len(rows) > 2000 {
		t.Fatalf("%d rows, %v; want the few until the interruption", len(rows), err)
	}
	if last := rows[len(rows)-1]; last[6] == "" || last[0] != fmt.Sprintf("t10k-images-idx3-ubyte[%d]", len(rows)-2) {
		t.Errorf("the last row is %v", last)
	}
}

// TestInterruptedFile: a file is written when it is complete, else it stays what
// it was, and nothing is left beside it.
func TestInterruptedFile(t *testing.T) {
	model := testmodel.LeNet(t)
	dir := t.TempDir()
	good, out := filepath.Join(t.TempDir(), "good.png"), filepath.Join(dir, "scores.csv")
	writePNG(t, good)
	write(t, out, "old")
	ctx, cancel := context.WithCancel(t.Context())
	stderr := cancelling{cancel: cancel, left: 1} // told of the missing image
	args := []string{"--model", model, "-o", out, "--batch-size", "1", good, filepath.Join(dir, "none.png"), good, good}
	if err := run(ctx, args, io.Discard, &stderr); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	content, err := os.ReadFile(out)
	entries, _ := os.ReadDir(dir)
	if err != nil || string(content) != "old" || len(entries) != 1 {
		t.Errorf("the file holds %q, the folder %v, %v", content, entries, err)
	}
}

// TestClosedPipe runs the program itself: on standard output alone a closed pipe
// sends a signal.
func TestClosedPipe(t *testing.T) {
	set := filepath.Join(testmodel.FashionMNIST, "t10k-images-idx3-ubyte.gz[:2000]")
	program := exec.Command(os.Args[0], "--model", testmodel.LeNet(t), "--imglist", set)
	program.Env = append(os.Environ(), runMain+"=1")
	var stderr bytes.Buffer
	program.Stderr = &stderr
	stdout, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("image"))
	if _, err := io.ReadFull(stdout, first); err != nil || string(first) != "image" {
		t.Errorf("the output begins with %q, %v", first, err)
	}
	stdout.Close()
	program.Wait()
	if status := program.ProcessState.ExitCode(); status != 1 || !strings.Contains(stderr.String(), "cannot write the CSV") || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}
}

// TestFullDevice: what cannot be written is an error.
func TestFullDevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.png")
	writePNG(t, file)
	if _, _, err := score(t, "--model", testmodel.LeNet(t), "-o", "/dev/full", file); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}

// runMain is the variable by which a test makes of the test's program the command.
const runMain = "ASCOOD_SCORE_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestHelp(t *testing.T) {
	out, _, err := score(t, "--help")
	if status := cli.Report(os.Stderr, "ascood-score", err); status != 0 || !strings.Contains(out, "--imglist") {
		t.Errorf("status %d, help:\n%s", status, out)
	}
}

// TestCheckDevice compares the CPU with itself, on images too.
func TestCheckDevice(t *testing.T) {
	model := testmodel.LeNet(t)
	check := []string{"--model", model, "--check-device", "cpu", "--threads", "1"}
	set := filepath.Join(testmodel.FashionMNIST, "t10k-images-idx3-ubyte.gz[:20]")
	out, _, err := score(t, append(check, "--json", "--imglist", set)...)
	var report struct {
		Passed   bool
		Sections []struct {
			Name  string
			Lines []struct {
				Name  string
				Value any
			}
		}
	}
	if decoded := json.Unmarshal([]byte(out), &report); err != nil || decoded != nil || !report.Passed {
		t.Fatalf("%v, %v: %s", err, decoded, out)
	}
	values := map[string]any{}
	for _, s := range report.Sections {
		for _, l := range s.Lines {
			values[s.Name+": "+l.Name] = l.Value
		}
	}
	for _, name := range []string{
		"found: ONNX Runtime", "nodes of the score's graph, for 8 images: on cpu",
		"agreement with the CPU in float32: images of another verdict",
		"agreement with the CPU in float32: share of equal iodin_index",
		"agreement with the CPU in float32: scores, alone instead of 8 at once",
		"time and memory: opening the model and scoring a first image",
		"images/s on cpu: msp, 1 at once", "images/s on cpu: iodin, 8 at once",
	} {
		if values[name] == nil {
			t.Errorf("%s is not in the report\n%s", name, out)
		}
	}
	if n := values["agreement with the CPU in float32: images"]; n != 64.0+20 {
		t.Errorf("%v images were compared, want 64 fixed ones and 20 of the list", n)
	}
	out, _, err = score(t, append(check, "--score", "msp")...)
	if err != nil || !strings.HasSuffix(out, "\nPASS\n") || strings.Contains(out, "iodin_index") || strings.Contains(out, "another verdict") {
		t.Errorf("error %v\n%s", err, out)
	}
	for want, args := range map[string][]string{
		"--batch-size has no meaning beside --check-device": {"--batch-size", "3"},
		"--tf32 has no meaning beside --check-device":       {"--tf32"},
		"give image files or --imglist, not both":           {"--imglist", set, "a.png"},
		"none.png": {"none.png"},
	} {
		if _, _, err := score(t, append(check, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", args, err, want)
		}
	}
	if _, _, err := score(t, "--model", model, "--json", "a.png"); err == nil || !strings.Contains(err.Error(), "--json has no meaning without --check-device") {
		t.Errorf("error %v", err)
	}
}

// TestCheckMissingGPU: on a machine without a GPU the report names the driver.
func TestCheckMissingGPU(t *testing.T) {
	if _, err := os.Stat("/proc/driver/nvidia/version"); err == nil {
		t.Skip("this machine has NVIDIA's driver")
	}
	out, _, err := score(t, "--model", testmodel.LeNet(t), "--check-device", "cuda")
	if status := cli.Report(io.Discard, "ascood-score", err); status != 1 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"\nFAIL\n", "found: no NVIDIA driver: there is no /proc/driver/nvidia/version"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "images/s") {
		t.Errorf("it goes on without a GPU:\n%s", out)
	}
}

func score(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), err
}

func writePNG(t *testing.T, path string) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = uint8(i)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.String())
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
