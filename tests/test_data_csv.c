#include "tests/testing.h"

#include <string.h>

#include "core/base/file.h"
#include "data/csv_read.h"

static bool parse(const char *text, const CsvOptions *options, Arena *arena, CsvTable *table, Error *error)
{
    return csv_parse("t.csv", (const unsigned char *)text, strlen(text), options, arena, table, error);
}

static void test_data_csv__quoting_and_line_ends(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CsvTable table;
    Error error;
    assert_true(parse("\xEF\xBB\xBF" "a,\"b,\"\"c\"\"\"\r\n\"x\ny\",\n,\"\"", NULL, arena, &table, &error));
    assert_int_equal(table.rows, 3);
    assert_int_equal(table.columns, 2);
    static const char *const cells[] = {"a", "b,\"c\"", "x\ny", "", "", ""};
    for (int i = 0; i < 6; i++)
        assert_string_equal(table.cells[i], cells[i]);
    assert_int_equal(table.lines[2], 4);
    assert_null(table.header);
    arena_free(arena);
}

static void test_data_csv__separators_and_header(void **state)
{
    (void)state;
    static const struct { const char *text; CsvOptions options; char separator; int rows, columns; } cases[] = {
        {"a,b\n1,2\n", {.header = true}, ',', 1, 2},
        {"a\tb,c\td\n1\t2\t3", {0}, '\t', 2, 3},
        {"\"a,b,c\";d\n1;2\n", {.header = true}, ';', 1, 2},
        {"a;b\n1;2\n", {.separator = ','}, ',', 2, 1},
        {"only", {.header = true}, ',', 0, 1},
        {"1\n\n3\n", {0}, ',', 3, 1},
        {"n,3,a,b\r\n\"x\",y\n1,2\n", {.header = true, .skip_lines = 1}, ',', 1, 2},
        {"\n\r\n1;2\n\n3;4\r\n\r\n\n", {.skip_blank = true}, ';', 2, 2},
        {"  1 2   3  \n4  5 6\r\n 7 \"8 8\" 9 \r\n", {.separator = ' '}, ' ', 3, 3},
        {"1 2\n   \n3 4 ", {.separator = ' ', .skip_blank = true}, ' ', 2, 2},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CsvTable table;
        Error error;
        assert_true(parse(cases[i].text, &cases[i].options, arena, &table, &error));
        assert_int_equal(table.separator, cases[i].separator);
        assert_int_equal(table.rows, cases[i].rows);
        assert_int_equal(table.columns, cases[i].columns);
        assert_int_equal(table.header != NULL, cases[i].options.header);
        if (table.header && table.rows) {
            assert_string_equal(table.cells[0], "1");
            assert_int_equal(table.lines[0], 2 + cases[i].options.skip_lines);
        }
    }
    arena_free(arena);
}

static void test_data_csv__errors_name_the_line(void **state)
{
    (void)state;
    static const struct { const char *text, *message; } cases[] = {
        {"", "t.csv: no rows"},
        {"\xEF\xBB\xBF", "t.csv: no rows"},
        {"a,b\n1,2,3\n", "t.csv:2: expected 2 columns, got 3"},
        {"a,b\n\"1\n\",2\n3\n", "t.csv:4: expected 2 columns, got 1"},
        {"a,b\n\n", "t.csv:2: expected 2 columns, got 1"},
        {"a\n\"b\nc", "t.csv:2: the quote that opens here is not closed"},
        {"a\n\"b\"c\n", "t.csv:2: text behind a closing quote"},
        {"a\rb\n", "t.csv:1: carriage return without line feed"},
        {"a\r", "t.csv:1: carriage return without line feed"},
        {"\"a\"\rb", "t.csv:1: carriage return without line feed"},
        {"a\nb\"c\"\n", "t.csv:2: quote inside an unquoted field; quote the field and double the quote"},
    };
    Arena *arena = arena_new();
    CsvTable table;
    Error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(parse(cases[i].text, NULL, arena, &table, &error));
        assert_string_equal(error.message, cases[i].message);
    }
    assert_false(csv_parse("t.csv", (const unsigned char *)"a\nb\0c", 5, NULL, arena, &table, &error));
    assert_string_equal(error.message, "t.csv:2: NUL byte");
    assert_false(csv_parse("t.csv", (const unsigned char *)"\"\0\"", 3, NULL, arena, &table, &error));
    assert_string_equal(error.message, "t.csv:1: NUL byte");
    arena_free(arena);
}

static void test_data_csv__spaces_and_skipped_lines_leave_the_cells(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CsvTable table;
    Error error;
    assert_true(parse("skip \"this\n  a bc \"d  e\"  \n\nf g  h",
                      &(CsvOptions){.separator = ' ', .skip_blank = true, .skip_lines = 1}, arena, &table, &error));
    static const char *const cells[] = {"a", "bc", "d  e", "f", "g", "h"};
    assert_int_equal(table.rows, 2);
    for (int i = 0; i < 6; i++)
        assert_string_equal(table.cells[i], cells[i]);
    assert_int_equal(table.lines[0], 2);
    assert_int_equal(table.lines[1], 4);
    assert_false(parse("a\nb", &(CsvOptions){.skip_lines = 2}, arena, &table, &error));
    assert_string_equal(error.message, "t.csv: no line behind the 2 to skip");
    assert_false(parse("a\n\n\n", &(CsvOptions){.skip_lines = 1, .skip_blank = true}, arena, &table, &error));
    assert_string_equal(error.message, "t.csv: no rows");
    assert_false(parse("1 \"2\"3\n", &(CsvOptions){.separator = ' '}, arena, &table, &error));
    assert_string_equal(error.message, "t.csv:1: text behind a closing quote");
    arena_free(arena);
}

/* Each prefix is a table or an error that begins with the name; the copy is exact, so that the
   address sanitizer sees a read past the end. */
static void test_data_csv__cut_at_every_byte(void **state)
{
    (void)state;
    static const char text[] = "a,\"b\"\"\n\",c\r\n1,2,\"3\"\r\n,,\n";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        unsigned char *copy = malloc(cut ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, text, cut);
        Arena *arena = arena_new();
        CsvTable table;
        Error error;
        if (!csv_parse("cut", copy, cut, NULL, arena, &table, &error))
            assert_int_equal(strncmp(error.message, "cut:", 4), 0);
        arena_free(arena);
        free(copy);
    }
}

static void test_data_csv__file(void **state)
{
    (void)state;
    Temporary temporary;
    temporary_make(&temporary, "a.csv");
    Arena *arena = arena_new();
    CsvTable table;
    Error error;
    assert_true(file_write(temporary.file, "x;y\n1;2", 7, &error));
    assert_true(csv_read(temporary.file, &(CsvOptions){.header = true}, arena, &table, &error));
    assert_string_equal(table.header[1], "y");
    assert_string_equal(table.cells[1], "2");
    temporary_drop(&temporary);
    assert_false(csv_read(temporary.file, NULL, arena, &table, &error));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_csv__quoting_and_line_ends),
        cmocka_unit_test(test_data_csv__separators_and_header),
        cmocka_unit_test(test_data_csv__errors_name_the_line),
        cmocka_unit_test(test_data_csv__spaces_and_skipped_lines_leave_the_cells),
        cmocka_unit_test(test_data_csv__cut_at_every_byte),
        cmocka_unit_test(test_data_csv__file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
