package pickle

func (m *machine) tuple(n int) error {
	items, err := m.popN(n)
	if err != nil {
		return err
	}
	return m.push(&List{"tuple", items}, costContainer)
}

// sequence collects the values since the mark.
func (m *machine) sequence(kind string) error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.push(&List{kind, items}, costContainer)
}

func (m *machine) dict() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	d := &Dict{}
	if err := set(d, items); err != nil {
		return err
	}
	return m.push(d, costContainer)
}

func (m *machine) appendOne() error {
	items, err := m.popN(1)
	if err != nil {
		return err
	}
	return m.extend(items)
}

func (m *machine) appendAll() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.extend(items)
}

// extend appends to the list, set or object on top of the stack.
func (m *machine) extend(items []any) error {
	to, err := m.top()
	if err != nil {
		return err
	}
	switch to := to.(type) {
	case *List:
		to.Items = append(to.Items, items...)
	case *Object:
		to.Items = append(to.Items, items...)
	default:
		return errMalformed
	}
	return nil
}

func (m *machine) setOne() error {
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	return m.setTop(items)
}

func (m *machine) setAll() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.setTop(items)
}

func (m *machine) setTop(items []any) error {
	to, err := m.top()
	if err != nil {
		return err
	}
	return set(to, items)
}

// set adds keys, each with the value after it, to a dict or object.
func set(to any, items []any) error {
	if len(items)%2 != 0 {
		return errMalformed
	}
	var entries *[]Entry
	switch to := to.(type) {
	case *Dict:
		entries = &to.Entries
	case *Object:
		entries = &to.Entries
	default:
		return errMalformed
	}
	for i := 0; i < len(items); i += 2 {
		*entries = append(*entries, Entry{items[i], items[i+1]})
	}
	return nil
}
