package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const deploy = "../../deploy/"

// manifests reads the documents of a YAML file.
func manifests(t *testing.T, name string) []map[string]any {
	t.Helper()
	file, err := os.Open(deploy + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []map[string]any
	for d := yaml.NewDecoder(file); ; {
		var one map[string]any
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, one)
	}
}

// as reads a part of a manifest, which must have no fields but those of T.
func as[T any](t *testing.T, part any, path ...string) T {
	t.Helper()
	for _, name := range path {
		fields, ok := part.(map[string]any)
		if !ok || fields[name] == nil {
			t.Fatalf("%v: there is no %s in %v", path, name, part)
		}
		part = fields[name]
	}
	text, err := yaml.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %v", path, err)
	}
	return v
}

// A container, as far as Kubernetes has it and it is used here.
type container struct {
	Name, Image string
	Args        []string
	Env         []struct{ Name, Value string }
	Ports       []struct {
		Name, Protocol string
		ContainerPort  int `yaml:"containerPort"`
	}
	Startup   probe `yaml:"startupProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Resources struct{ Requests, Limits map[string]string }
	Security  struct {
		NonRoot      bool  `yaml:"runAsNonRoot"`
		User         int   `yaml:"runAsUser"`
		Escalation   *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRoot bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities struct{ Drop []string }
	} `yaml:"securityContext"`
	Mounts []struct {
		Name     string
		Path     string `yaml:"mountPath"`
		ReadOnly bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	Get struct {
		Path string
		Port any
	} `yaml:"httpGet"`
	Period   int `yaml:"periodSeconds"`
	Timeout  int `yaml:"timeoutSeconds"`
	Failures int `yaml:"failureThreshold"`
}

// checkContainer holds a container to the program: its arguments are flags, its port is
// the one that they say, its probes are routes, and it needs no rights.
func checkContainer(t *testing.T, c container) *options {
	t.Helper()
	o := checkArgs(t, c.Args)
	if _, port, _ := strings.Cut(o.addr, ":"); len(c.Ports) != 1 || fmt.Sprint(c.Ports[0].ContainerPort) != port {
		t.Errorf("%s listens on %s, and has the ports %v", c.Name, o.addr, c.Ports)
	}
	for _, p := range []probe{c.Readiness, c.Liveness, c.Startup} {
		if p.Get.Path != "" && p.Get.Port != c.Ports[0].Name && p.Get.Port != c.Ports[0].ContainerPort {
			t.Errorf("%s: the probe of %s asks port %v", c.Name, p.Get.Path, p.Get.Port)
		}
	}
	checkProbes(t, c.Readiness.Get.Path, c.Liveness.Get.Path)
	s := c.Security
	if s.Escalation == nil || *s.Escalation || !s.ReadOnlyRoot || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("%s has the rights %+v", c.Name, s)
	}
	if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
		t.Errorf("%s has the resources %v", c.Name, c.Resources)
	}
	return o
}

func checkArgs(t *testing.T, args []string) *options {
	t.Helper()
	o, err := parse(args, io.Discard, io.Discard)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	if loopback(o.addr) {
		t.Errorf("%v: nobody outside of the container reaches %s", args, o.addr)
	}
	return o
}

// checkProbes asks a server for them.
func checkProbes(t *testing.T, ready, live string) {
	t.Helper()
	if !strings.Contains(ready, "ready") || !strings.Contains(live, "live") {
		t.Errorf("readiness is %q, liveness %q", ready, live)
	}
	model, meta := exported(t, lenet)
	url := start(t, "--model", save(t, model, meta), "--device", "cpu")
	for _, path := range []string{ready, live} {
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, response.StatusCode)
		}
	}
}

func TestKubernetes(t *testing.T) {
	all := manifests(t, "kubernetes.yml")
	kinds := map[string]map[string]any{}
	for _, m := range all {
		kinds[as[string](t, m, "apiVersion")+" "+as[string](t, m, "kind")] = m
	}
	deployment := kinds["apps/v1 Deployment"]
	pod := as[map[string]any](t, deployment, "spec", "template", "spec")
	containers := as[[]container](t, pod, "containers")
	if len(containers) != 1 || as[bool](t, pod, "securityContext", "runAsNonRoot") != true {
		t.Fatalf("the pod is %v", pod)
	}
	o := checkContainer(t, containers[0])
	// Kubernetes waits for longer than the server does before it kills it.
	if grace := time.Duration(as[int](t, pod, "terminationGracePeriodSeconds")) * time.Second; grace <= o.limits.DrainDelay+o.limits.DrainTimeout {
		t.Errorf("killed after %v, while draining takes %v and %v", grace, o.limits.DrainDelay, o.limits.DrainTimeout)
	}
	p := containers[0].Readiness
	if notices := time.Duration(p.Period*p.Failures) * time.Second; notices >= o.limits.DrainDelay {
		t.Errorf("not being ready is noticed after %v, when the door has closed after %v", notices, o.limits.DrainDelay)
	}
	labels := as[map[string]string](t, deployment, "spec", "template", "metadata", "labels")
	for _, selector := range []map[string]string{
		as[map[string]string](t, deployment, "spec", "selector", "matchLabels"),
		as[map[string]string](t, kinds["v1 Service"], "spec", "selector"),
		as[map[string]string](t, kinds["policy/v1 PodDisruptionBudget"], "spec", "selector", "matchLabels"),
	} {
		for name, value := range selector {
			if labels[name] != value {
				t.Errorf("%v selects none of the pods, which have %v", selector, labels)
			}
		}
	}
	port := as[[]struct {
		Name       string
		Port       int
		TargetPort string `yaml:"targetPort"`
	}](t, kinds["v1 Service"], "spec", "ports")
	if port[0].TargetPort != containers[0].Ports[0].Name {
		t.Errorf("the service is for %v, the pods have %v", port, containers[0].Ports)
	}
	scaler := kinds["autoscaling/v2 HorizontalPodAutoscaler"]
	if as[string](t, scaler, "spec", "scaleTargetRef", "name") != as[string](t, deployment, "metadata", "name") {
		t.Error("what is scaled is not the deployment")
	}
	metrics := as[[]struct {
		Type string
		Pods struct {
			Metric struct{ Name string }
			Target struct {
				Type  string
				Value string `yaml:"averageValue"`
			}
		}
	}](t, scaler, "spec", "metrics")
	if want := fmt.Sprint(o.limits.MaxQueue / 4); metrics[0].Pods.Metric.Name != "ascood_images_in_work" || metrics[0].Pods.Target.Value != want {
		t.Errorf("scaled by %+v, want a quarter of --max-queue, %s", metrics, want)
	}
}

func TestKServe(t *testing.T) {
	all := manifests(t, "kserve.yml")
	runtime, service := all[0], all[1]
	if as[string](t, runtime, "kind") != "ServingRuntime" || as[string](t, service, "kind") != "InferenceService" {
		t.Fatalf("%v", all)
	}
	containers := as[[]container](t, runtime, "spec", "containers")
	if len(containers) != 1 || containers[0].Name != "kserve-container" { // the name that KServe looks for
		t.Fatalf("%+v", containers)
	}
	if o := checkContainer(t, containers[0]); o.source.Model != "/mnt/models/model.onnx" || o.source.Name != "{{.Name}}" {
		t.Errorf("serves %+v", o.source)
	}
	model := as[map[string]any](t, service, "spec", "predictor", "model")
	formats := as[[]map[string]any](t, runtime, "spec", "supportedModelFormats")
	if as[string](t, model, "runtime") != as[string](t, runtime, "metadata", "name") || as[string](t, model, "modelFormat", "name") != formats[0]["name"] ||
		!slices.Contains(as[[]string](t, runtime, "spec", "protocolVersions"), as[string](t, model, "protocolVersion")) {
		t.Errorf("the service wants %v of the runtime %v", model, runtime["spec"])
	}
	// The other service is for gRPC: the one port that KServe lets out is that of its flag.
	model = as[map[string]any](t, all[2], "spec", "predictor", "model")
	if as[string](t, model, "runtime") != as[string](t, runtime, "metadata", "name") || as[string](t, model, "protocolVersion") != "grpc-v2" ||
		!slices.Contains(as[[]string](t, runtime, "spec", "protocolVersions"), "grpc-v2") {
		t.Errorf("the service for gRPC is %v", model)
	}
	ports := as[[]struct {
		Name, Protocol string
		ContainerPort  int `yaml:"containerPort"`
	}](t, model, "ports")
	_, port, _ := strings.Cut(checkArgs(t, containers[0].Args).grpcAddr, ":")
	if len(ports) != 1 || ports[0].Name != "h2c" || fmt.Sprint(ports[0].ContainerPort) != port ||
		as[int](t, model, "readinessProbe", "grpc", "port") != ports[0].ContainerPort || as[int](t, model, "livenessProbe", "grpc", "port") != ports[0].ContainerPort {
		t.Errorf("gRPC is on port %s, the service has %v", port, model)
	}
}

func TestCompose(t *testing.T) {
	all := manifests(t, "compose.yml")
	service := as[struct {
		Build       struct{ Context, Dockerfile, Target string }
		Image       string
		Command     []string
		Ports       []string
		Volumes     []string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		MemLimit    string   `yaml:"mem_limit"`
		Environment map[string]string
		Restart     string
		Grace       time.Duration `yaml:"stop_grace_period"`
		Healthcheck struct {
			Test              []string
			Interval, Timeout time.Duration
			Retries           int
			Start             time.Duration `yaml:"start_period"`
		}
	}](t, all[0], "services", "ascood")
	o := checkArgs(t, service.Command)
	if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || service.Grace <= o.limits.DrainDelay+o.limits.DrainTimeout {
		t.Errorf("%+v", service)
	}
	if _, err := os.Stat(filepath.Join(deploy, service.Build.Context, service.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(stages(t), func(s stage) bool { return s.name == service.Build.Target }) {
		t.Errorf("the Dockerfile has no stage %s", service.Build.Target)
	}
	if _, port, _ := strings.Cut(o.addr, ":"); !strings.HasSuffix(service.Ports[0], ":"+port) {
		t.Errorf("ports %v of a server on %s", service.Ports, o.addr)
	}
	// The health check is run as it is, but for the port: green, and red without a server.
	model, meta := exported(t, lenet)
	url := start(t, "--model", save(t, model, meta), "--device", "cpu")
	check := service.Healthcheck.Test
	for address, healthy := range map[string]bool{strings.TrimPrefix(url, "http://"): true, free(t): false} {
		command := slices.Clone(check[1:])
		last := len(command) - 1
		command[last] = strings.ReplaceAll(command[last], "127.0.0.1/8080", strings.ReplaceAll(address, ":", "/"))
		if err := exec.CommandContext(t.Context(), command[0], command[1:]...).Run(); (err == nil) != healthy {
			t.Errorf("%v: %v", command, err)
		}
	}
}

// stage is one of the Dockerfile.
type stage struct {
	name  string
	lines []string
}

func stages(t *testing.T) []stage {
	t.Helper()
	text, err := os.ReadFile(deploy + "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var all []stage
	from := regexp.MustCompile(`^FROM \S+ AS (\S+)$`)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if match := from.FindStringSubmatch(line); match != nil {
			all = append(all, stage{name: match[1]})
		} else if line != "" && !strings.HasPrefix(line, "#") {
			all[len(all)-1].lines = append(all[len(all)-1].lines, line)
		}
	}
	return all
}

// TestDockerfile: images run the program, with flags that it has, as nobody in particular,
// and what they are built of is there.
func TestDockerfile(t *testing.T) {
	images := 0
	for _, s := range stages(t) {
		said := map[string]string{}
		for _, line := range s.lines {
			word, rest, _ := strings.Cut(line, " ")
			said[word] = rest
			for _, path := range regexp.MustCompile(`\b(scripts|cmd)/[\w./-]+`).FindAllString(rest, -1) {
				if _, err := os.Stat("../../" + path); err != nil {
					t.Error(err)
				}
			}
		}
		if said["ENTRYPOINT"] == "" {
			continue
		}
		images++
		var entry, args []string
		if err := errors.Join(json.Unmarshal([]byte(said["ENTRYPOINT"]), &entry), json.Unmarshal([]byte(said["CMD"]), &args)); err != nil {
			t.Fatal(err)
		}
		o := checkArgs(t, slices.Concat(entry[1:], args))
		if said["EXPOSE"] != strings.TrimPrefix(o.addr, ":") || said["USER"] == "" || strings.HasPrefix(said["USER"], "0") || strings.HasPrefix(said["USER"], "root") {
			t.Errorf("%s: %v", s.name, said)
		}
		// ONNX Runtime is looked for in lib beside the program's folder.
		if entry[0] != "/opt/ascood/bin/ascood-serve" || !slices.ContainsFunc(s.lines, func(l string) bool { return strings.HasSuffix(l, "/src/lib /opt/ascood/lib") }) {
			t.Errorf("%s: %v of %v", s.name, entry, s.lines)
		}
	}
	if images != 2 {
		t.Errorf("%d images", images)
	}
}
