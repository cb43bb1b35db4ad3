package cli

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/ascood/ascood"
)

const versionFlag = "version"

// errVersion ends a command that was asked for its version.
var errVersion = errors.New("the version was asked for")

// version is that of the program, with the commit that it was built from where
// that is known.
func version() string {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = ", commit " + s.Value[:min(len(s.Value), 12)] + commit
			case s.Key == "vcs.modified" && s.Value == "true":
				commit += " with changes"
			}
		}
	}
	return fmt.Sprintf("%s (%s%s)", ascood.Version, runtime.Version(), commit)
}
