// SPDX-License-Identifier: GPL-2.0
/*
 * An SPI controller in software with one simulated MCP3008 on its first chip select, behind the stock spidev.
 *
 * It answers each clock as the data sheet (DS21295) has it: zeros before the start bit are ignored; SGL/DIFF
 * and three bits of channel follow; a clock to sample, the null bit, ten bits from the highest down, and, if
 * the clock goes on, the same bits from the second lowest up, then zeros. Where the chip drives nothing, the
 * line is where its pull resistor has it.
 *
 * /sys/module/mcp3008_sim/parameters: codes, absent, miso_pull, stuck and noise can be written at any time;
 * frames, malformed and max_hz count what came.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/random.h>
#include <linux/spi/spi.h>
#include <linux/version.h>

#define CHANNELS 8
#define FULL 1023
#define FASTEST_HZ 3600000 /* at 5 V; a box that asks for more is seen in max_hz */

static int codes[CHANNELS] = {512, 512, 512, 512, 512, 512, 512, 512};
module_param_array(codes, int, NULL, 0644);
MODULE_PARM_DESC(codes, "what each channel reads, 0..1023");

static bool absent;
module_param(absent, bool, 0644);
MODULE_PARM_DESC(absent, "no chip there: the line floats to its pull");

static int miso_pull;
module_param(miso_pull, int, 0644);
MODULE_PARM_DESC(miso_pull, "level of the line while nothing drives it");

static int stuck = -1;
module_param(stuck, int, 0644);
MODULE_PARM_DESC(stuck, "one code for every channel; -1 for none");

static int noise;
module_param(noise, int, 0644);
MODULE_PARM_DESC(noise, "counts up or down that a reading may be off");

static ulong frames, malformed, max_hz;
module_param(frames, ulong, 0644);
module_param(malformed, ulong, 0644);
module_param(max_hz, ulong, 0644);

/* What the chip knows between chip select down and up. `clocks` counts from the start bit, -1 before it. */
struct conversion {
	int clocks;
	unsigned int command;
	int code;
};

static int measure(unsigned int command)
{
	int channel = command & 7;
	int code = READ_ONCE(codes[channel]);

	if (stuck >= 0)
		code = stuck;
	else if (!(command & 8)) /* differential: this channel against its neighbour */
		code -= READ_ONCE(codes[channel ^ 1]);
	if (noise > 0)
		code += (int)(get_random_u32() % (2 * noise + 1)) - noise;
	return clamp(code, 0, FULL);
}

static int one_clock(struct conversion *c, int din)
{
	if (c->clocks < 0) {
		if (din)
			c->clocks = 0;
		return miso_pull;
	}
	c->clocks++;
	if (c->clocks <= 4) {
		c->command = c->command << 1 | din;
		if (c->clocks == 4)
			c->code = measure(c->command);
		return miso_pull;
	}
	if (c->clocks == 5)
		return miso_pull;
	if (c->clocks == 6)
		return 0;
	if (c->clocks <= 16)
		return c->code >> (16 - c->clocks) & 1;
	if (c->clocks <= 25)
		return c->code >> (c->clocks - 16) & 1;
	return 0;
}

static const struct conversion idle = {.clocks = -1};

static void end_of_frame(struct conversion *c)
{
	frames++;
	if (c->clocks < 16) /* no start bit, or cut off before the last bit */
		malformed++;
	*c = idle;
}

static int transfer(struct spi_controller *controller, struct spi_message *message)
{
	struct conversion c = idle;
	struct spi_transfer *t;

	list_for_each_entry(t, &message->transfers, transfer_list) {
		const u8 *tx = t->tx_buf;
		u8 *rx = t->rx_buf;
		unsigned int i;
		int bit;

		max_hz = max_t(ulong, max_hz, t->speed_hz);
		for (i = 0; i < t->len; i++) {
			u8 in = tx ? tx[i] : 0, out = 0;

			for (bit = 7; bit >= 0; bit--) {
				int level = one_clock(&c, in >> bit & 1);

				out |= (absent ? !!miso_pull : !!level) << bit;
			}
			if (rx)
				rx[i] = out;
		}
		message->actual_length += t->len;
		if (t->cs_change && !list_is_last(&t->transfer_list, &message->transfers))
			end_of_frame(&c);
	}
	end_of_frame(&c);
	message->status = 0;
	spi_finalize_current_message(controller);
	return 0;
}

static struct platform_device *parent;
static struct spi_controller *controller;

static int __init begin(void)
{
	/* spidev takes devices by the names of real ones, this among them. */
	static struct spi_board_info chip __initdata = {
		.modalias = "dh2228fv", .max_speed_hz = FASTEST_HZ, .mode = SPI_MODE_0};
	int failed;

	parent = platform_device_register_simple("mcp3008_sim", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	controller = spi_alloc_host(&parent->dev, 0);
#else
	controller = spi_alloc_master(&parent->dev, 0);
#endif
	if (!controller) {
		platform_device_unregister(parent);
		return -ENOMEM;
	}
	controller->bus_num = 0;
	controller->num_chipselect = 2;
	controller->mode_bits = SPI_CPOL | SPI_CPHA | SPI_CS_HIGH | SPI_NO_CS | SPI_LSB_FIRST;
	controller->max_speed_hz = 32000000;
	controller->transfer_one_message = transfer;
	failed = spi_register_controller(controller);
	if (failed) {
		spi_controller_put(controller);
		platform_device_unregister(parent);
		return failed;
	}
	if (!spi_new_device(controller, &chip))
		pr_warn("mcp3008_sim: spidev did not take the chip\n");
	return 0;
}

static void __exit end(void)
{
	spi_unregister_controller(controller);
	platform_device_unregister(parent);
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A simulated MCP3008 behind spidev");
