// Command notices prints THIRD_PARTY_NOTICES.md: what others wrote that is fetched or
// checked in (besides.md), and the licences of the Go modules that the programs link,
// as the module cache has them.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed besides.md
var besides string

func main() {
	text, err := notices()
	if err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

// module is a Go module that a program links.
type module struct{ path, version, dir string }

// files are where modules keep their licences, the first those of the module itself.
// The last is the one of freetype's two that is not the GPL.
var files = []string{"LICEN[CS]E*", "COPYING*", "NOTICE*", "PATENTS*", "THIRD_PARTY_LICENSES/*", "licenses/ftl.txt"}

// licences tell a licence by words of its text. The first that fits counts.
var licences = []struct{ name, words string }{
	{"OFL-1.1", "SIL OPEN FONT LICENSE"},
	{"CC-BY-4.0", "Creative Commons Attribution 4.0"},
	{"FTL", "The FreeType License"},
	{"Apache-2.0", "Apache License"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"BSD-3-Clause", "Neither the name"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
}

// notices returns the whole document.
func notices() (string, error) {
	modules, err := linked()
	if err != nil {
		return "", err
	}
	c := collection{owners: map[string][]string{}}
	for _, m := range modules {
		if err := c.add(m); err != nil {
			return "", fmt.Errorf("%s in %s: %w", m.path, m.dir, err)
		}
	}
	var all strings.Builder
	fmt.Fprintf(&all, "%s\n| module | version | licence |\n|---|---|---|\n%s\n## Their licences\n", besides, c.table.String())
	for _, text := range c.texts {
		fmt.Fprintf(&all, "\n### %s\n\n````text\n%s\n````\n", strings.Join(c.owners[text], ", "), text)
	}
	return all.String(), nil
}

// collection is what the modules' licences say, each text once.
type collection struct {
	table  strings.Builder     // a row a module
	texts  []string            // in the order in which they were found
	owners map[string][]string // modules and files of each text
}

// add adds a module's row and texts.
func (c *collection) add(m module) error {
	var names []string
	for _, pattern := range files {
		paths, err := filepath.Glob(filepath.Join(m.dir, pattern))
		if err != nil {
			return err
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text := tidy(string(content))
			if c.owners[text] == nil {
				c.texts = append(c.texts, text)
			}
			c.owners[text] = append(c.owners[text], m.path+" "+filepath.Base(path))
			if name := licence(text); pattern == files[0] && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 || slices.Contains(names, "") {
		return errors.New("no licence, or one that is not known yet: read what it asks for and add it to this program's list")
	}
	fmt.Fprintf(&c.table, "| %s | %s | %s |\n", m.path, m.version, strings.Join(names, ", "))
	return nil
}

// linked lists the modules of which the programs link packages, sorted.
func linked() ([]module, error) {
	const line = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"
	list := exec.Command("go", "list", "-deps", "-f", line, "github.com/ascood/ascood/cmd/...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	lines := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	slices.Sort(lines)
	var modules []module
	for _, line := range slices.Compact(lines) {
		field := strings.Split(line, "\t")
		modules = append(modules, module{field[0], field[1], field[2]})
	}
	return modules, nil
}

// licence names the licence that a text is, "" if it is none of those known.
func licence(text string) string {
	for _, l := range licences {
		if strings.Contains(text, l.words) {
			return l.name
		}
	}
	return ""
}

// tidy takes away what differs between copies of one text and means nothing.
func tidy(text string) string {
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\r")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
