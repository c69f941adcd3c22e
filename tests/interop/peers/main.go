// parquet-go: copies the rows of a Parquet file into one that it writes itself, and asks bloom filters.
//
//	pqcheck copy IN OUT
//	pqcheck bloom FILE COLUMN LOW HIGH STEP    int64 values that the filters say are there
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(name string) *parquet.File {
	f, err := os.Open(name)
	fail(err)
	info, err := f.Stat()
	fail(err)
	file, err := parquet.OpenFile(f, info.Size())
	fail(err)
	return file
}

func copyRows(from, to string) {
	file := open(from)
	out, err := os.Create(to)
	fail(err)
	w := parquet.NewWriter(out, file.Schema(), parquet.Compression(&parquet.Snappy))
	rows := int64(0)
	for _, group := range file.RowGroups() {
		r := group.Rows()
		n, err := parquet.CopyRows(w, r)
		fail(err)
		fail(r.Close())
		rows += n
	}
	fail(w.Close())
	fail(out.Close())
	if rows != file.NumRows() {
		fail(fmt.Errorf("%d rows of %d", rows, file.NumRows()))
	}
}

func bloom(name, column string, low, high, step int64) {
	file := open(name)
	leaf, ok := file.Schema().Lookup(column)
	if !ok {
		fail(fmt.Errorf("no column %s", column))
	}
	count := 0
	for v := low; v < high; v += step {
		any := false
		for _, group := range file.RowGroups() {
			filter := group.ColumnChunks()[leaf.ColumnIndex].BloomFilter()
			if filter == nil {
				fail(fmt.Errorf("no bloom filter"))
			}
			has, err := filter.Check(parquet.ValueOf(v))
			fail(err)
			any = any || has
		}
		if any {
			count++
		}
	}
	fmt.Println(count)
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	fail(err)
	return n
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "copy" {
		copyRows(os.Args[2], os.Args[3])
	} else if len(os.Args) == 7 && os.Args[1] == "bloom" {
		bloom(os.Args[2], os.Args[3], number(os.Args[4]), number(os.Args[5]), number(os.Args[6]))
	} else {
		fail(fmt.Errorf("usage: pqcheck copy IN OUT | bloom FILE COLUMN LOW HIGH STEP"))
	}
}
