package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ascood/ascood/serve/keys"
)

// TestKeys: only those with a key get past the page and the health checks, and their names
// are where operators look.
func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, fmt.Appendf(nil, "line %x 2\n", sha256.Sum256([]byte("secret"))), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := keys.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s := newServer(t, &fakeModel{}, logTo(&log), func(c *Config) { c.Keys = file })
	ask := func(method, path, header, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(string(grayPNG(t, 255))))
		if header != "" {
			r.Header.Set(header, value)
		}
		return do(s, r)
	}
	for _, path := range []string{"/", "/openapi", "/openapi.json", "/livez", "/readyz", "/v2/health/live", "/v2/health/ready"} {
		if w := ask("GET", path, "", ""); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	for _, path := range []string{"/v1/models", "/v1/drift", "/metrics", "/v2", "/v2/models/fake", "/nothing"} {
		if w := ask("GET", path, "", ""); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: status %d, %v", path, w.Code, w.Header())
		}
	}
	for header, value := range map[string]string{"": "", "Authorization": "Basic secret", "X-API-Key": "Secret", "X-Api": "secret"} {
		w := ask("POST", "/v1/score", header, value)
		if e := wantError(t, w, http.StatusUnauthorized, "unauthorized"); strings.Contains(e.Message, "secret") {
			t.Errorf("the client is told %q", e.Message)
		}
	}
	wantScore(t, ask("POST", "/v1/score", "Authorization", "bearer secret"), 1)
	wantScore(t, ask("POST", "/v1/score", "X-API-Key", "secret"), 1)
	w := ask("POST", "/v1/score", "X-API-Key", "secret")
	wantError(t, w, http.StatusTooManyRequests, "rate_limited")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, want := range []string{`"status":200,"time_ms"`, `"client":"line"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log has the key: %s", log.String())
	}
	if got := do(s.Metrics(), httptest.NewRequest("GET", "/metrics", nil)).Body.String(); !strings.Contains(got, `ascood_client_requests_total{client="line",status="200"} 2`) ||
		!strings.Contains(got, `ascood_client_requests_total{client="line",status="429"} 1`) {
		t.Error("the client's requests are not counted")
	}
}

// TestOwnMetrics: metrics with an address of their own are not on the other one.
func TestOwnMetrics(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.OwnMetrics = true })
	if w := do(s, httptest.NewRequest("GET", "/metrics", nil)); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
	if w := do(s.Metrics(), httptest.NewRequest("GET", "/", nil)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "ascood_images_in_work 0") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// selfSigned writes a pair of files for 127.0.0.1, and returns the certificate.
func selfSigned(t *testing.T, folder string, serial int64) (cert, key string, parsed *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1e9+serial, 0) // each of its own, however coarse the file system's clock
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, parsed
}

// TestTLS: connections are encrypted, by the certificate that is there now.
func TestTLS(t *testing.T) {
	folder := t.TempDir()
	cert, key, first := selfSigned(t, folder, 1)
	var log strings.Builder
	config, err := TLS(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	address := serveOn(t, newServer(t, &fakeModel{}, func(c *Config) { c.TLS = config }))
	ask := func(trusted *x509.Certificate) (serial int64, err error) {
		roots := x509.NewCertPool()
		roots.AddCert(trusted)
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"},
		}}
		response, err := client.Get("https://" + address + "/livez")
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK || response.ProtoMajor != 1 {
			t.Errorf("status %d, %s", response.StatusCode, response.Proto)
		}
		return response.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if serial, err := ask(first); err != nil || serial != 1 {
		t.Errorf("certificate %d, %v", serial, err)
	}
	if response, err := http.Get("http://" + address + "/livez"); err == nil {
		if response.Body.Close(); response.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: status %d", response.StatusCode)
		}
	}
	_, _, second := selfSigned(t, folder, 2)
	eventually(t, "the new certificate", func() bool { serial, err := ask(second); return err == nil && serial == 2 })
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the complaint", func() bool {
		_, err := ask(second)
		return err != nil || strings.Contains(log.String(), "the certificate is left as it is")
	})
	if serial, err := ask(second); err != nil || serial != 2 {
		t.Errorf("after a wrong file: certificate %d, %v", serial, err)
	}
	for _, pair := range [][2]string{{"missing", key}, {cert, key}} {
		if _, err := TLS(pair[0], pair[1], nil); err == nil || !strings.HasPrefix(err.Error(), "TLS: ") {
			t.Errorf("%v: got %v", pair, err)
		}
	}
}
