package serve

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// page serves the upload page: one document, style and script within, that asks
// for nothing but this server's API. The policy admits exactly that.
func page() echo.HandlerFunc {
	document := strings.NewReplacer("/*page.css*/", pageCSS, "/*page.js*/", pageJS).Replace(pageHTML)
	policy := fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src blob: data:; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", hashSource(pageCSS), hashSource(pageJS))
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderContentSecurityPolicy, policy)
		return c.HTML(http.StatusOK, document)
	}
}

// hashSource is an inline element's content as a source of a Content Security
// Policy.
func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
