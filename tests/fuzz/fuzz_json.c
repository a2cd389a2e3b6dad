/* JSON from memory: any bytes give a tree or an error; a tree prints as a text that gives it again. */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* cJSON prints up to 17 digits, so that numbers come back too. */
static void check_again(JsonSource *source, const cJSON *tree)
{
    Error error;
    char *text = cJSON_PrintUnformatted(tree);
    const cJSON *again = json_parse(source, "printed", text, strlen(text), &error);
    if (!again || !cJSON_Compare(tree, again, true))
        abort();
    cJSON_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    JsonSource *source = json_source_new();
    Error error;
    const cJSON *tree = json_parse(source, "input", (const char *)bytes, size, &error);
    if (tree) {
        int line;
        if (!json_place(source, tree, &line) || line < 1)
            abort();
        check_again(source, tree);
    }
    json_source_free(source);
    return 0;
}
