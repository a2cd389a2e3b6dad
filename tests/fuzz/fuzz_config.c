/* A config from memory, through the tables of every component: any text gives a config or an error of status 2, and a
   config written out with every key gives itself again. */
#include <stdlib.h>
#include <string.h>

#include "core/train/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char *write_out(const Config *config)
{
    cJSON *resolved = config_resolved(config);
    char *text = cJSON_PrintUnformatted(resolved);
    cJSON_Delete(resolved);
    return text;
}

static void check_again(const Config *config)
{
    Error error;
    char *text = write_out(config);
    Config *again = config_parse("written", text, NULL, NULL, &error);
    if (!again)
        abort();
    char *second = write_out(again);
    if (strcmp(text, second) != 0)
        abort();
    cJSON_free(text);
    cJSON_free(second);
    config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = memory_new(size + 1);
    if (size)
        memcpy(text, bytes, size);
    Error error = {0};
    Config *config = strstr(text, "extends") ? NULL
                                             : config_parse("input", text, NULL, NULL, &error); /* no other files */
    if (config)
        check_again(config);
    else if (error.message[0] && (error.status != STATUS_USAGE || strchr(error.message, '\n')))
        abort();
    config_free(config);
    memory_free(text);
    return 0;
}
