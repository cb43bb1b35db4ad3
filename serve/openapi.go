package serve

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood/serve/openapi"
)

// openAPI describes this API for programs.
func openAPI(c echo.Context) error { return c.JSONBlob(http.StatusOK, openapi.JSON) }

// openAPIPage describes it for people, in the style of the upload page.
func openAPIPage() (echo.HandlerFunc, error) {
	document, err := openapi.Page(pageCSS)
	policy := fmt.Sprintf("default-src 'none'; style-src '%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", hashSource(pageCSS))
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderContentSecurityPolicy, policy)
		return c.HTML(http.StatusOK, document)
	}, err
}
