module github.com/ascood/ascood

go 1.26
