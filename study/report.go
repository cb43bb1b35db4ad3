package study

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/posthoc"
)

// The files that a study writes into its folder, besides partsFile.
const (
	markdownFile = "table.md"
	latexFile    = "table.tex"
	cellsFile    = "cells.csv"
	seedsFile    = "seeds.csv"
	searchFile   = "search.csv"
	pageFile     = "index.html"
)

// report writes all of the study's files, of what there is so far.
func (s *Study) report() error {
	t, err := s.table()
	if err != nil {
		return err
	}
	if err := s.writeParts(); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{markdownFile, t.markdown}, {latexFile, t.latex}, {cellsFile, t.csv}, {seedsFile, s.seeds}, {searchFile, s.searches},
		{pageFile, func(w io.Writer) error { return s.page(w, t) }},
	} {
		if err := s.write(f.name, f.write); err != nil {
			return err
		}
	}
	return nil
}

// markdown writes the table for a page: the best of each column bold, the second
// underlined.
func (t *table) markdown(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", t.title)
	heads := t.head()
	for _, c := range t.columns {
		heads = append(heads, c.text())
	}
	fmt.Fprintf(w, "| %s |\n|%s%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(t.head())), strings.Repeat("---:|", len(t.columns)))
	for _, r := range t.rows {
		words := t.left(r)
		for _, c := range r.cells {
			words = append(words, strings.NewReplacer("{", mark[c.rank][0], "}", mark[c.rank][1]).Replace("{"+c.text()+"}"))
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(words, " | "))
	}
	fmt.Fprintf(w, "\n%s\n", legend)
	for _, note := range t.notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
	return nil
}

// mark stands around cells by their rank.
var mark = [][2]string{{"", ""}, {"**", "**"}, {"<u>", "</u>"}}

const legend = "All in percent, mean ± standard deviation over the seeds. The best of each column is bold, the second underlined; ↓ is better when lower."

// head names what rows are of.
func (t *table) head() []string {
	if t.networks() {
		return []string{"network", "method", "score"}
	}
	return []string{"method", "score"}
}

// left is what a row is of.
func (t *table) left(r row) []string {
	if t.networks() {
		return []string{r.network, r.method, r.score}
	}
	return []string{r.method, r.score}
}

// text is a column's head.
func (c column) text() string {
	arrow := "↑"
	if better(c.metric) < 0 {
		arrow = "↓"
	}
	words := []string{c.data, c.set, c.metric + arrow}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// latex writes the table for a paper, with the packages booktabs and ulem.
func (t *table) latex(w io.Writer) error {
	fmt.Fprintf(w, "%% %s\n\\begin{tabular}{%s%s}\n\\toprule\n", latexText(t.title), strings.Repeat("l", len(t.head())), strings.Repeat("r", len(t.columns)))
	heads := t.head()
	for _, c := range t.columns {
		heads = append(heads, c.text())
	}
	line := func(words []string) { fmt.Fprintf(w, "%s \\\\\n", strings.Join(words, " & ")) }
	for i := range heads {
		heads[i] = latexText(heads[i])
	}
	line(heads)
	fmt.Fprintln(w, "\\midrule")
	for _, r := range t.rows {
		words := t.left(r)
		for i := range words {
			words[i] = latexText(words[i])
		}
		for _, c := range r.cells {
			command := []string{"", "\\textbf", "\\underline"}[c.rank]
			if text := latexText(c.text()); command == "" {
				words = append(words, text)
			} else {
				words = append(words, command+"{"+text+"}")
			}
		}
		line(words)
	}
	fmt.Fprintln(w, "\\bottomrule\n\\end{tabular}")
	return nil
}

// latexText lets a text stand in LaTeX as it is.
func latexText(text string) string {
	return strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`,
		"±", `$\pm$`, "↑", `$\uparrow$`, "↓", `$\downarrow$`, "–", "--", "~", `\textasciitilde{}`, "^", `\textasciicircum{}`).Replace(text)
}

// csv writes a line for each cell.
func (t *table) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"network", "data", "method", "score", "set", "metric", "mean", "std", "seeds", "rank"})
	for _, r := range t.rows {
		for k, cell := range r.cells {
			if cell.want == 0 {
				continue
			}
			mean, std, rank := "", "", ""
			if len(cell.values) > 0 {
				mean, std = number(cell.mean), number(cell.std)
			}
			if cell.rank > 0 {
				rank = strconv.Itoa(cell.rank)
			}
			of := t.columns[k]
			c.Write([]string{r.network, of.data, r.method, r.score, of.set, of.metric, mean, std, strconv.Itoa(len(cell.values)), rank})
		}
	}
	c.Flush()
	return c.Error()
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// seeds writes a line for each run, score and set, with all metrics in percent and the
// score's settings.
func (s *Study) seeds(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write(append([]string{"network", "data", "method", "seed", "score", "set"}, append(slices.Clone(metricNames), "settings")...))
	for _, p := range s.x.parts {
		if p.Kind != Evaluate || !s.isDone(p) {
			continue
		}
		r, err := s.results(p)
		if err != nil {
			return err
		}
		for _, score := range r.Scores {
			for _, row := range score.Rows {
				words := []string{p.Network, p.Data, p.Method, strconv.FormatUint(p.Seed, 10), score.Score, row.Name}
				for _, metric := range metricNames {
					words = append(words, number(valueOf(row, metric)))
				}
				c.Write(append(words, posthoc.Describe(string(score.Settings))))
			}
		}
	}
	c.Flush()
	return c.Error()
}

// searched is a candidate of a search, with what came out.
type searched struct {
	Of                     combination
	Score, Settings, AUROC string
	Chosen                 bool
}

func (s *Study) searched() (all []searched, err error) {
	for _, t := range s.x.tries {
		best, err := t.best(s.isDone)
		if err != nil {
			return nil, err
		}
		for i, c := range t.candidates {
			line := searched{Of: t.combination, Score: t.score, Settings: c.text(), Chosen: i == best}
			if s.isDone(c.validate) {
				auroc, err := t.auroc(c)
				if err != nil {
					return nil, err
				}
				line.AUROC = number(100 * auroc)
			}
			all = append(all, line)
		}
	}
	return all, nil
}

// searches writes a line for each candidate of the searches: its AUROC on the validation
// images, and which was chosen.
func (s *Study) searches(w io.Writer) error {
	all, err := s.searched()
	if err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.Write([]string{"network", "data", "method", "score", "settings", "validation_AUROC", "chosen"})
	for _, line := range all {
		c.Write([]string{line.Of.network, line.Of.data, line.Of.method, line.Score, line.Settings, line.AUROC, strconv.FormatBool(line.Chosen)})
	}
	c.Flush()
	return c.Error()
}

// WriteTable writes the table of what is done, as Markdown.
func (s *Study) WriteTable(w io.Writer) error {
	t, err := s.table()
	if err != nil {
		return err
	}
	return t.markdown(w)
}
