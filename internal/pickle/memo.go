package pickle

import "strconv"

func (m *machine) getLine() error {
	key, err := m.index()
	if err != nil {
		return err
	}
	return m.recall(key)
}

func (m *machine) get(size uint64) error {
	key, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.recall(int(key))
}

// recall pushes a value of the memo.
func (m *machine) recall(key int) error {
	value, ok := m.memo[key]
	if !ok {
		return errMalformed
	}
	return m.push(value, costScalar)
}

func (m *machine) putLine() error {
	key, err := m.index()
	if err != nil {
		return err
	}
	return m.store(key)
}

func (m *machine) put(size uint64) error {
	key, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.store(int(key))
}

// store keeps the value on top of the stack.
func (m *machine) store(key int) error {
	value, err := m.top()
	if err != nil {
		return err
	}
	m.memo[key] = value
	return m.spend(costScalar)
}

// index reads the key of a value in the memo.
func (m *machine) index() (int, error) {
	text, err := m.line()
	if err != nil {
		return 0, err
	}
	key, err := strconv.Atoi(text)
	if err != nil {
		return 0, errMalformed
	}
	return key, nil
}
